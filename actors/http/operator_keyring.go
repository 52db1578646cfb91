package http

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"

	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/messages"
)

// maxRelayFactor is Serf's.
const maxRelayFactor = 5

// keyringOf returns the handler that has the keys of the gossip pools changed, or
// listed: https://developer.hashicorp.com/consul/api-docs/operator/keyring. The
// pools of this server are asked, the WAN pool first.
func keyringOf(what messages.KeyringVerb) handler {
	return func(r *request) (*answer, error) {
		if err := r.checkNames(anyNames); err != nil {
			return nil, err
		}
		change := messages.ChangeKeyring{Verb: what}
		local, err := keyringArgs(r, &change)
		if err != nil {
			return nil, err
		}
		if !r.api.cfg.Facts.Server {
			return nil, refusal(http.StatusInternalServerError, "keyring operations must run against a server node")
		}
		said, err := askPools(r, change, local)
		switch {
		case err != nil:
			return nil, err
		case what == messages.ListKeys:
			return with(said), nil
		default:
			return nothing, nil
		}
	}
}

// keyringArgs reads what is to be done, and whether with the LAN pool only.
func keyringArgs(r *request, change *messages.ChangeKeyring) (local bool, err error) {
	if change.Verb != messages.ListKeys {
		var body struct{ Key string }
		if err := r.decode(&body); err != nil {
			return false, err
		}
		change.Key = body.Key
	}
	if text := r.param("relay-factor"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			return false, refusal(http.StatusBadRequest, fmt.Sprintf("Error parsing relay factor: %v", err))
		}
		if n < 0 || n > maxRelayFactor {
			return false, refusal(http.StatusBadRequest, fmt.Sprintf("Error parsing relay factor: Relay factor must be in range: [0, %d]", maxRelayFactor))
		}
		change.RelayFactor = uint8(n)
	}
	text := r.param("local-only")
	if text == "" {
		return false, nil
	}
	local, err = strconv.ParseBool(text)
	if err != nil {
		return false, refusal(http.StatusBadRequest, "Error parsing local-only: "+err.Error())
	}
	if local && change.Verb != messages.ListKeys {
		return false, refusal(http.StatusBadRequest, "Error validating local-only: argument 'local-only' is only valid for list requests")
	}
	return local, nil
}

// poolKeys is what a pool said, as the API shows it.
type poolKeys struct {
	WAN         bool
	Datacenter  string
	Segment     string
	Messages    map[string]string `json:",omitempty"`
	Keys        map[string]int
	PrimaryKeys map[string]int
	NumNodes    int
}

// askPools asks one pool after the other. What went wrong in any of them, and on
// which member, is the error.
func askPools(r *request, change messages.ChangeKeyring, local bool) ([]poolKeys, error) {
	cfg := &r.api.cfg
	said := []poolKeys{}
	var wrong []string
	for _, p := range []struct {
		wan   bool
		title string
		at    ask.Address
	}{{true, "WAN", cfg.GossipWAN}, {false, cfg.Facts.Datacenter + " (LAN)", cfg.GossipLAN}} {
		if p.at.PID() == nil || p.wan && local {
			continue
		}
		msg := change // each has an answer box of its own
		got, err := ask.Do(r.Context(), p.at, &msg)
		if err != nil {
			wrong = append(wrong, fmt.Sprintf("%s error: %v", p.title, err))
			for _, member := range slices.Sorted(maps.Keys(got.Messages)) {
				wrong = append(wrong, member+": "+got.Messages[member])
			}
		}
		said = append(said, poolKeys{
			WAN: p.wan, Datacenter: cfg.Facts.Datacenter, Messages: got.Messages,
			Keys: orNone(got.Keys), PrimaryKeys: orNone(got.PrimaryKeys), NumNodes: got.NumNodes,
		})
	}
	if len(wrong) > 0 {
		return nil, severalWrong(wrong)
	}
	return said, nil
}

// orNone returns the counts, or none.
func orNone(counts map[string]int) map[string]int {
	if counts == nil {
		return map[string]int{}
	}
	return counts
}
