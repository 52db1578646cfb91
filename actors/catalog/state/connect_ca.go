package state

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/go-memdb"

	"github.com/actor-consul/consul/messages/wire"
)

// serialNumberKey is the row of the index table that counts serial numbers.
const serialNumberKey = "connect-ca-builtin-serial"

var (
	errOneActiveRoot = errors.New("there must be exactly one active CA")
	errRootID        = errors.New("missing CA root ID")
	errCAConfig      = errors.New("ModifyIndex did not match existing")
)

// CAApply carries out a request about the certificate authority. Its result is what
// the proposer is told: whether it was done, or a serial number.
func (tx *Tx) CAApply(r *wire.CARequest) (any, error) {
	switch r.Op {
	case wire.CASetConfig:
		if r.Config == nil {
			return nil, errCAConfig
		}
		if r.Config.ModifyIndex != 0 {
			return true, tx.caCASConfig(r.Config)
		}
		tx.caSetConfig(r.Config)
		return nil, nil
	case wire.CASetRoots:
		return tx.caSetRoots(r.Index, r.Roots)
	case wire.CASetRootsAndConfig:
		done, err := tx.caSetRoots(r.Index, r.Roots)
		if err != nil || !done {
			return done, err
		}
		if r.Config == nil {
			return nil, errCAConfig
		}
		return true, tx.caCASConfig(r.Config)
	case wire.CASetProviderState:
		if r.ProviderState == nil {
			return false, nil
		}
		tx.caSetProviderState(r.ProviderState)
		return true, nil
	case wire.CADeleteProviderState:
		if r.ProviderState != nil {
			if was := first[wire.CAConsulProviderState](tx.tx, tableConnectCABuiltin, byID, r.ProviderState.ID); was != nil {
				remove(tx.tx, tableConnectCABuiltin, was)
				tx.touch(tableConnectCABuiltin)
			}
		}
		return true, nil
	case wire.CAIncrementSerialNumber:
		return tx.caNextSerialNumber(), nil
	default:
		return nil, fmt.Errorf("Invalid CA operation '%s'", r.Op)
	}
}

// caSetRoots replaces the roots if their index is still the given one. It says
// whether it did.
func (tx *Tx) caSetRoots(index uint64, roots []*wire.CARoot) (bool, error) {
	active := 0
	for _, r := range roots {
		switch {
		case r == nil || r.ID == "":
			return false, errRootID
		case r.Active:
			active++
		}
	}
	if active != 1 {
		return false, errOneActiveRoot
	}
	if tx.indexOf(tableConnectCARoots) != index {
		return false, nil
	}
	created := map[string]uint64{}
	for _, old := range collect[wire.CARoot](tx.tx, tableConnectCARoots, byID+prefixOf) {
		created[old.ID] = old.CreateIndex
		remove(tx.tx, tableConnectCARoots, old)
	}
	for _, r := range roots {
		row := *r
		row.CreateIndex, row.ModifyIndex = tx.idx, tx.idx
		if was, ok := created[r.ID]; ok {
			row.CreateIndex = was
		}
		insert(tx.tx, tableConnectCARoots, &row)
	}
	tx.touch(tableConnectCARoots)
	return true, nil
}

// caCASConfig replaces the configuration if its ModifyIndex is that of c, which is 0
// when there is none.
func (tx *Tx) caCASConfig(c *wire.CAConfiguration) error {
	existing := first[wire.CAConfiguration](tx.tx, tableConnectCAConfig, byID, "")
	if existing == nil && c.ModifyIndex != 0 || existing != nil && existing.ModifyIndex != c.ModifyIndex {
		return errCAConfig
	}
	tx.caSetConfig(c)
	return nil
}

func (tx *Tx) caSetConfig(c *wire.CAConfiguration) {
	config := *c
	config.CreateIndex, config.ModifyIndex = tx.idx, tx.idx
	if existing := first[wire.CAConfiguration](tx.tx, tableConnectCAConfig, byID, ""); existing != nil {
		config.CreateIndex = existing.CreateIndex
		if config.ClusterID == "" {
			config.ClusterID = existing.ClusterID
		}
	}
	insert(tx.tx, tableConnectCAConfig, &config)
}

func (tx *Tx) caSetProviderState(s *wire.CAConsulProviderState) {
	row := *s
	row.CreateIndex, row.ModifyIndex = tx.idx, tx.idx
	if existing := first[wire.CAConsulProviderState](tx.tx, tableConnectCABuiltin, byID, s.ID); existing != nil {
		row.CreateIndex = existing.CreateIndex
	}
	insert(tx.tx, tableConnectCABuiltin, &row)
	tx.touch(tableConnectCABuiltin)
}

func (tx *Tx) caNextSerialNumber() uint64 {
	last := tx.indexOf(serialNumberKey)
	if last == 0 {
		last = tx.indexOf(tableConnectCABuiltin)
	}
	tx.touchAt(last+1, serialNumberKey)
	return last + 1
}

// CARoots returns the roots and how certificates are made, nil before there is a
// certificate authority.
func (q *Queries) CARoots(ws memdb.WatchSet) (uint64, []*wire.CARoot, *wire.CAConfiguration) {
	ch, config := firstWatch[wire.CAConfiguration](q.tx, tableConnectCAConfig, byID, "")
	ws.Add(ch)
	idx := q.indexWatch(ws, tableConnectCARoots)
	if config == nil {
		return idx, nil, nil
	}
	var roots []*wire.CARoot
	for root := range rows[wire.CARoot](q.tx, tableConnectCARoots, byID+prefixOf) {
		roots = append(roots, root)
	}
	return max(idx, config.ModifyIndex), roots, config
}

// CAProviderState returns what the authority that is built in keeps secret for a
// root, nil when there is none.
func (q *Queries) CAProviderState(root *wire.CARoot) *wire.CAConsulProviderState {
	for s := range rows[wire.CAConsulProviderState](q.tx, tableConnectCABuiltin, byID+prefixOf) {
		if strings.TrimSpace(s.RootCert) == strings.TrimSpace(root.RootCert) {
			return s
		}
	}
	return nil
}

func (tx *Tx) restoreCARoot(r *wire.CARoot) error {
	if r.ID == "" {
		return errRootID
	}
	insert(tx.tx, tableConnectCARoots, r)
	tx.touchAt(r.ModifyIndex, tableConnectCARoots)
	return nil
}

func (tx *Tx) restoreCAProviderState(s *wire.CAConsulProviderState) error {
	insert(tx.tx, tableConnectCABuiltin, s)
	tx.touchAt(s.ModifyIndex, tableConnectCABuiltin)
	return nil
}
