package state

import (
	"github.com/hashicorp/go-memdb"

	"github.com/actor-consul/consul/messages/wire"
)

// AutopilotSetConfig replaces the autopilot configuration.
func (tx *Tx) AutopilotSetConfig(c *wire.AutopilotConfig) {
	config := *c
	config.CreateIndex, config.ModifyIndex = tx.idx, tx.idx
	if existing := first[wire.AutopilotConfig](tx.tx, tableAutopilotConfig, byID, ""); existing != nil {
		config.CreateIndex = existing.CreateIndex
	}
	insert(tx.tx, tableAutopilotConfig, &config)
}

// AutopilotCASConfig replaces the autopilot configuration if its ModifyIndex is
// that of c. It says whether it did.
func (tx *Tx) AutopilotCASConfig(c *wire.AutopilotConfig) bool {
	existing := first[wire.AutopilotConfig](tx.tx, tableAutopilotConfig, byID, "")
	if existing == nil || existing.ModifyIndex != c.ModifyIndex {
		return false
	}
	tx.AutopilotSetConfig(c)
	return true
}

// AutopilotConfig returns the autopilot configuration, nil before it was first
// set.
func (q *Queries) AutopilotConfig(ws memdb.WatchSet) (uint64, *wire.AutopilotConfig) {
	ch, config := firstWatch[wire.AutopilotConfig](q.tx, tableAutopilotConfig, byID, "")
	ws.Add(ch)
	if config == nil {
		return 0, nil
	}
	return config.ModifyIndex, config
}
