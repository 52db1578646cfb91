package raft

import (
	"encoding/json"
	"fmt"
	"net"

	"github.com/hashicorp/raft"
)

// parsePeers reads peers.json in either of Consul's forms: objects with the IDs and
// addresses of the servers, as of raft protocol 3, or addresses alone, as before.
// identify finds the ID of the server at an address.
func parsePeers(data []byte, identify func(address string) (id string, ok bool)) (raft.Configuration, error) {
	var conf raft.Configuration
	var entries []json.RawMessage
	if err := json.Unmarshal(data, &entries); err != nil {
		return conf, fmt.Errorf("it is no list in JSON: %w", err)
	}
	if len(entries) == 0 {
		return conf, fmt.Errorf("it lists no servers")
	}
	ids, addresses, voters := map[raft.ServerID]int{}, map[raft.ServerAddress]int{}, 0
	for i, entry := range entries {
		s, err := parsePeer(entry, identify)
		if err != nil {
			return conf, fmt.Errorf("its entry %d: %w", i+1, err)
		}
		if other, twice := ids[s.ID]; twice {
			return conf, fmt.Errorf("its entries %d and %d have the same ID %q", other, i+1, s.ID)
		}
		if other, twice := addresses[s.Address]; twice {
			return conf, fmt.Errorf("its entries %d and %d have the same address %q", other, i+1, s.Address)
		}
		ids[s.ID], addresses[s.Address] = i+1, i+1
		if s.Suffrage == raft.Voter {
			voters++
		}
		conf.Servers = append(conf.Servers, s)
	}
	if voters == 0 {
		return conf, fmt.Errorf("none of its servers votes")
	}
	return conf, nil
}

func parsePeer(entry json.RawMessage, identify func(address string) (id string, ok bool)) (raft.Server, error) {
	var s raft.Server
	var address string
	if json.Unmarshal(entry, &address) == nil {
		id, ok := identify(address)
		if !ok {
			return s, fmt.Errorf("the log knows no server at %q, so its ID has to be given", address)
		}
		s = raft.Server{ID: raft.ServerID(id), Address: raft.ServerAddress(address)}
	} else {
		var p struct {
			ID       string `json:"id"`
			Address  string `json:"address"`
			NonVoter bool   `json:"non_voter"`
		}
		if json.Unmarshal(entry, &p) != nil {
			return s, fmt.Errorf("it is neither an address nor an object of id, address and non_voter")
		}
		s = raft.Server{ID: raft.ServerID(p.ID), Address: raft.ServerAddress(p.Address)}
		if p.NonVoter {
			s.Suffrage = raft.Nonvoter
		}
	}
	if s.ID == "" {
		return s, fmt.Errorf("it has no id")
	}
	if _, _, err := net.SplitHostPort(string(s.Address)); err != nil {
		return s, fmt.Errorf("its address is no host:port: %w", err)
	}
	return s, nil
}
