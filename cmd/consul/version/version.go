// Package version says which program this is.
//
// There are two versions. Version is our own and counts our releases. Compat is
// the version of Consul whose API we serve: clients, scripts and the node meta
// consul-version know only that one, so it is what the command line and the API
// answer when they are asked for "the" version.
//
// It owns no state and reads nothing but what the linker wrote into the program.
package version

import (
	"runtime/debug"
	"time"
)

const (
	// Compat is the version of Consul whose API this program serves. Clients
	// compare it, so it is the bare X.Y.Z.
	Compat = "1.19.2"

	// Version is our own.
	Version = "0.1.0"
)

// The protocol versions of the agents' gossip and RPC: the one that is spoken
// unless configured otherwise, and the range that is understood.
const (
	ProtocolDefault = 2
	ProtocolMin     = 2
	ProtocolMax     = 3
)

// revisionLength is how much of a commit's hash is shown.
const revisionLength = 8

// unknownDate is the build date of a program that does not know it. Clients parse
// the field as a time, so it is not empty; Consul says the same.
const unknownDate = "1970-01-01T00:00:01Z"

// Build is where this program comes from.
type Build struct {
	Revision string // short commit hash, with +CHANGES when the tree had changes; empty when unknown
	Date     string // RFC 3339, of the commit
}

// ReadBuild returns what the Go tool wrote into this program. A program that was
// built outside a repository, such as a test, does not know its revision.
func ReadBuild() Build {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return build(nil)
	}
	return build(info.Settings)
}

func build(settings []debug.BuildSetting) Build {
	b := Build{Date: unknownDate}
	changed := false
	for _, s := range settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value[:min(revisionLength, len(s.Value))]
		case "vcs.time":
			if t, err := time.Parse(time.RFC3339, s.Value); err == nil {
				b.Date = t.UTC().Format(time.RFC3339)
			}
		case "vcs.modified":
			changed = s.Value == "true"
		}
	}
	if changed && b.Revision != "" {
		b.Revision += "+CHANGES"
	}
	return b
}
