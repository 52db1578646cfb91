package gossip

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/hashicorp/memberlist"
)

// keyring is the pool's keys and where changes of them are written.
type keyring struct {
	keys *memberlist.Keyring // nil: gossip is in the clear
	file string              // empty: nowhere
	note string              // what the operator should know
}

// loadKeyring reads the keyring file, or makes one with the configured key. No
// error and no note ever has a key in it.
func loadKeyring(cfg Config) (keyring, error) {
	var first []byte
	if cfg.EncryptKey != "" {
		var err error
		if first, err = decodeKey(cfg.EncryptKey); err != nil {
			return keyring{}, cfg.errorf("encrypt: %w; make a key by consul keygen", err)
		}
	}
	if cfg.DataDir == "" || cfg.DisableKeyringFile {
		if first == nil {
			return keyring{}, nil
		}
		keys, err := memberlist.NewKeyring(nil, first)
		return keyring{keys: keys}, err
	}
	file := cfg.file("keyring")
	data, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return newKeyring(cfg, file, first)
	case err != nil:
		return keyring{}, cfg.errorf("keyring %s: %w; let the agent read and write it", file, plain(err))
	}
	return parseKeyring(cfg, file, data, first)
}

// newKeyring writes the first keyring file, when there is a key.
func newKeyring(cfg Config, file string, first []byte) (keyring, error) {
	if first == nil {
		return keyring{}, nil
	}
	data, err := json.Marshal([]string{cfg.EncryptKey})
	if err != nil {
		return keyring{}, err
	}
	if err := writeFile(file, data, 0o600); err != nil {
		return keyring{}, cfg.errorf("keyring %s: %w; let the agent write it", file, plain(err))
	}
	keys, err := memberlist.NewKeyring(nil, first)
	return keyring{keys: keys, file: file}, err
}

// parseKeyring reads a list of keys in base64, of which the first is in use.
func parseKeyring(cfg Config, file string, data, first []byte) (keyring, error) {
	bad := func(err error) (keyring, error) {
		return keyring{}, cfg.errorf("keyring %s: %w; restore it from another agent, or remove it and give the key by -encrypt", file, err)
	}
	var encoded []string
	if err := json.Unmarshal(data, &encoded); err != nil {
		return bad(errors.New("not a JSON list of keys"))
	}
	if len(encoded) == 0 {
		return bad(errors.New("no key in it"))
	}
	keys := make([][]byte, len(encoded))
	known := first == nil
	for i, text := range encoded {
		key, err := decodeKey(text)
		if err != nil {
			return bad(fmt.Errorf("its key number %d: %w", i+1, err))
		}
		keys[i] = key
		known = known || string(key) == string(first)
	}
	ring, err := memberlist.NewKeyring(keys, keys[0])
	if err != nil {
		return bad(err)
	}
	k := keyring{keys: ring, file: file}
	if !known {
		k.note = "the configured encrypt key is not in the keyring " + file + ", which counts more; change keys by consul keyring"
	}
	return k, nil
}

// decodeKey reads a key, and says what is wrong with it without telling it.
func decodeKey(text string) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, errors.New("the key is not base64")
	}
	if err := memberlist.ValidateKey(key); err != nil {
		return nil, fmt.Errorf("the key is %d bytes long, not 16, 24 or 32", len(key))
	}
	return key, nil
}
