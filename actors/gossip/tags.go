package gossip

import (
	"errors"
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/hashicorp/go-msgpack/v2/codec"
	"github.com/hashicorp/memberlist"

	"github.com/actor-consul/consul/messages"
)

// Identity is what an agent says of itself by its tags.
type Identity struct {
	Datacenter string
	NodeID     string
	Build      string // the version, such as "1.19.2:"

	// Of clients only.
	ReconnectTimeout time.Duration // after which it may be forgotten once it has failed; 0 says nothing

	// Of servers only.
	RPCPort   uint16 // 8300
	Bootstrap bool
	Expect    int    // bootstrap_expect; 0 or 1 says nothing
	UseTLS    bool   // the RPC port takes TLS
	WANPort   uint16 // of the WAN pool; 0 says nothing
}

// ServerTags returns the tags of a server, by Consul's names: the versions are
// those of Consul's server protocol, of which 2 is spoken.
func ServerTags(id Identity) map[string]string {
	tags := map[string]string{
		"role":     "consul",
		"dc":       id.Datacenter,
		"id":       id.NodeID,
		"segment":  "",
		"vsn":      "2",
		"vsn_min":  "2",
		"vsn_max":  "3",
		"raft_vsn": "3",
		"build":    id.Build,
		"port":     strconv.Itoa(int(id.RPCPort)),
		"acls":     "0", // not in force
		"ft_si":    "1", // intentions are config entries
	}
	if id.Bootstrap {
		tags["bootstrap"] = "1"
	}
	if id.Expect > 1 {
		tags["expect"] = strconv.Itoa(id.Expect)
	}
	if id.UseTLS {
		tags["use_tls"] = "1"
	}
	if id.WANPort != 0 {
		tags["wan_join_port"] = strconv.Itoa(int(id.WANPort))
	}
	return tags
}

// ClientTags returns the tags of a client agent.
func ClientTags(id Identity) map[string]string {
	tags := map[string]string{
		"role":    "node",
		"dc":      id.Datacenter,
		"id":      id.NodeID,
		"segment": "",
		"vsn":     "2",
		"vsn_min": "2",
		"vsn_max": "3",
		"build":   id.Build,
	}
	if id.ReconnectTimeout > 0 {
		tags[reconnectTag] = id.ReconnectTimeout.String()
	}
	return tags
}

// tagsMagic begins the tags on the wire; what begins otherwise is the bare role of
// Serf's first protocol.
const tagsMagic = 255

var errTags = errors.New("its tags cannot be read")

// decodeTags reads tags as Serf encodes them. The bytes come from the network.
func decodeTags(meta []byte) (map[string]string, error) {
	if len(meta) > memberlist.MetaMaxSize {
		return nil, errTags
	}
	if len(meta) == 0 || meta[0] != tagsMagic {
		return map[string]string{"role": string(meta)}, nil
	}
	tags := map[string]string{}
	if err := codec.NewDecoderBytes(meta[1:], &codec.MsgpackHandle{}).Decode(&tags); err != nil || tags == nil {
		return nil, errTags
	}
	return tags, nil
}

// checkTags says whether tags fit into what a member may say of itself.
func checkTags(tags map[string]string) error {
	var raw []byte
	if err := codec.NewEncoderBytes(&raw, &codec.MsgpackHandle{}).Encode(tags); err != nil {
		return fmt.Errorf("encode tags: %w", err)
	}
	if size := len(raw) + 1; size > memberlist.MetaMaxSize {
		return fmt.Errorf("the tags are %d bytes long together, the limit is %d", size, memberlist.MetaMaxSize)
	}
	return nil
}

// leaveIntent is the message of Serf's by which a member is said to leave, at a
// Lamport time.
func leaveIntent(name string, clock uint64) []byte {
	raw := []byte{0} // messageLeaveType in serf's messages.go
	msg := struct {
		LTime uint64
		Node  string
		Prune bool
	}{LTime: clock, Node: name}
	var body []byte
	if err := codec.NewEncoderBytes(&body, &codec.MsgpackHandle{}).Encode(&msg); err != nil {
		panic(fmt.Errorf("a struct of plain fields cannot be encoded: %w", err))
	}
	return append(raw, body...)
}

// changeTags returns tags as msg wants them, and whether that is a change.
func changeTags(tags map[string]string, msg *messages.SetTags) (map[string]string, bool) {
	changed := maps.Clone(tags)
	maps.Copy(changed, msg.Set)
	for _, key := range msg.Delete {
		delete(changed, key)
	}
	return changed, !maps.Equal(tags, changed)
}
