package gossip

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/hashicorp/go-msgpack/v2/codec"
	"github.com/hashicorp/memberlist"
)

// More of memberlist's numbers.
const (
	pingMsg    = 0
	encryptMsg = 10

	plainVersion = 1 // of what is encrypted: without padding
	sealHeader   = 5 // the number above, and the length
)

// confidePatience is how long memberlist may take for a sync with ourselves.
const confidePatience = 10 * time.Second

var errShut = errors.New("the pool is closed")

// confide syncs with our own memberlist, as another member would, over a stream that
// leads nowhere else. It is the only way to learn how new memberlist's word of a member
// is, and to tell it a newer one. Memberlist has taken in the words when this returns
// what it had before.
func (t *transport) confide(keys *memberlist.Keyring, words []nodeState) ([]nodeState, error) {
	sync := encode(pushPullMsg, &syncHeader{Nodes: len(words)})
	for i := range words {
		sync = appendValue(sync, &words[i])
	}
	sealed, err := seal(keys, sync)
	if err != nil {
		return nil, err
	}
	near, far := net.Pipe()
	defer near.Close()
	near.SetDeadline(time.Now().Add(confidePatience)) //nolint:errcheck // it has one
	select {
	case t.streams <- far:
	case <-t.done:
		far.Close()
		return nil, errShut
	}
	if _, err := near.Write(sealed); err != nil {
		return nil, err
	}
	answer, err := io.ReadAll(near)
	if err != nil {
		return nil, err
	}
	return readSync(keys, answer)
}

// syncHeader is what a sync begins with.
type syncHeader struct {
	Nodes        int
	UserStateLen int
	Join         bool
}

// readSync reads the nodes of a sync. What is read is our own memberlist's.
func readSync(keys *memberlist.Keyring, sync []byte) ([]nodeState, error) {
	plain, err := unseal(keys, sync)
	if err != nil {
		return nil, err
	}
	if len(plain) > 0 && plain[0] == compressMsg {
		unpacked, err := decompress(plain[1:])
		if err != nil {
			return nil, err
		}
		if plain, err = io.ReadAll(unpacked); err != nil {
			return nil, err
		}
	}
	if len(plain) == 0 || plain[0] != pushPullMsg {
		return nil, fmt.Errorf("memberlist answers by something else than its nodes")
	}
	from := codec.NewDecoderBytes(plain[1:], &codec.MsgpackHandle{})
	var header syncHeader
	if err := from.Decode(&header); err != nil {
		return nil, err
	}
	var nodes []nodeState
	for range header.Nodes {
		var n nodeState
		if err := from.Decode(&n); err != nil {
			return nil, err
		}
		nodes = append(nodes, n)
	}
	return nodes, nil
}

// seal returns a message as it goes over a stream, encrypted when there are keys: the
// number of what is encrypted, the length, a version, a nonce, and what AES-GCM makes of
// the message with the first two of these.
func seal(keys *memberlist.Keyring, msg []byte) ([]byte, error) {
	if keys == nil {
		return msg, nil
	}
	gcm, err := gcmOf(keys.GetPrimaryKey())
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, gcm.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return nil, err
	}
	size := 1 + len(nonce) + len(msg) + gcm.Overhead()
	header := binary.BigEndian.AppendUint32([]byte{encryptMsg}, uint32(size))
	out := append(bytes.Clone(header), plainVersion)
	return gcm.Seal(append(out, nonce...), nonce, msg, header), nil
}

// unseal is the reverse of seal, of what may be in the clear.
func unseal(keys *memberlist.Keyring, sealed []byte) ([]byte, error) {
	if len(sealed) == 0 || sealed[0] != encryptMsg || keys == nil {
		return sealed, nil
	}
	for _, key := range keys.GetKeys() {
		gcm, err := gcmOf(key)
		if err != nil {
			return nil, err
		}
		begin := sealHeader + 1
		if len(sealed) < begin+gcm.NonceSize() || sealed[sealHeader] != plainVersion {
			break
		}
		nonce, text := sealed[begin:begin+gcm.NonceSize()], sealed[begin+gcm.NonceSize():]
		if plain, err := gcm.Open(nil, nonce, text, sealed[:sealHeader]); err == nil {
			return plain, nil
		}
	}
	return nil, fmt.Errorf("memberlist's answer cannot be decrypted")
}

func gcmOf(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// encode returns a message of memberlist's.
func encode(kind byte, msg any) []byte { return appendValue([]byte{kind}, msg) }

// appendValue appends a struct of plain fields.
func appendValue(to []byte, value any) []byte {
	var raw []byte
	if err := codec.NewEncoderBytes(&raw, &codec.MsgpackHandle{}).Encode(value); err != nil {
		panic(fmt.Errorf("a struct of plain fields cannot be encoded: %w", err))
	}
	return append(to, raw...)
}
