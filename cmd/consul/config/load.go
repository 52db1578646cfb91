package config

import (
	"fmt"
	"strings"
)

// Args is what an agent is started with.
type Args struct {
	Flags *FlagValues // the command line, parsed; required
	Host  Host        // the machine; ThisHost() outside of tests
}

// dev is -dev: a server for this host only, in memory and quick. It lies between the defaults and the files.
const dev = `
server    = true
bind_addr = "127.0.0.1"
log_level = "debug"

disable_keyring_file = true
enable_debug         = true

performance { raft_multiplier = 1 }
ui_config   { enabled = true }
ports       { grpc = 8502 }

gossip_lan {
  gossip_interval = "100ms"
  probe_interval  = "100ms"
  probe_timeout   = "100ms"
  suspicion_mult  = 3
}
gossip_wan {
  gossip_interval = "100ms"
  probe_interval  = "100ms"
  probe_timeout   = "100ms"
  suspicion_mult  = 3
}
`

// Load reads what the command line names, merges it, and resolves it into the configuration of an agent. Warnings are for
// a human to see and come with an error, too. The error holds all mistakes that were found, as [Problems], or says which
// file could not be read.
//
// To reload, call it again with the same Args and compare with [Diff].
func Load(a Args) (*Runtime, []Warning, error) {
	if rest := a.Flags.rest(); len(rest) > 0 {
		return nil, nil, Problems{{Text: fmt.Sprintf("Unexpected extra arguments: %v", rest)}} // Consul's text
	}
	l := &layers{all: defaults(), unobeyed: map[string]bool{}}
	if a.Flags.Dev {
		l.dev()
	}
	l.user(a.Flags.lists())
	if err := l.files(a.Flags.Paths, a.Flags.Format); err != nil {
		return nil, l.warnings, err
	}
	l.user(a.Flags.others())
	for _, fragment := range a.Flags.HCL {
		l.source("-hcl", formatHCL, []byte(fragment))
	}
	if err := l.problems.err(); err != nil {
		return nil, l.warnings, err
	}
	l.admit()
	rt, more, err := resolve(l.all, a.Flags.Dev, a.Host)
	return rt, append(l.warnings, more...), err
}

// layers is a configuration in the making: each layer lies over those before it.
type layers struct {
	all      settings
	unobeyed map[string]bool // keys that a human set and the agent does not act upon
	warnings []Warning
	problems Problems
}

func (l *layers) dev() {
	s, _, problems := decode("-dev", formatHCL, []byte(dev))
	if problems != nil {
		panic("config: " + problems.Error())
	}
	for path, v := range s {
		v.at.line = 0 // nobody can look the line up
		s[path] = v
	}
	l.all.lay(s)
}

// user lays what a human said on top.
func (l *layers) user(s settings) {
	for _, path := range sortedKeys(s) {
		v := s[path]
		if v.key.Is(Enterprise) { // from a flag; files are warned about where they are decoded
			l.warnings = append(l.warnings, warn(v.at, enterpriseText, path))
			continue
		}
		if v.key.Use == 0 {
			l.unobeyed[path] = true
		}
		l.all.put(v)
	}
}

func (l *layers) source(name, format string, data []byte) {
	s, warnings, problems := decode(name, format, data)
	l.warnings = append(l.warnings, warnings...)
	l.problems = append(l.problems, problems...)
	l.user(s)
}

func (l *layers) files(paths []string, format string) error {
	files, warnings, err := find(paths, format)
	l.warnings = append(l.warnings, warnings...)
	if err != nil {
		return err
	}
	for _, f := range files {
		data, err := f.read()
		if err != nil {
			return err
		}
		l.source(f.path, f.format, data)
	}
	return nil
}

// admit names the keys that are accepted without being obeyed, in one line.
func (l *layers) admit() {
	if len(l.unobeyed) > 0 {
		l.warnings = append(l.warnings, warn(place{}, "accepted, but not acted upon yet: %s", strings.Join(sortedKeys(l.unobeyed), ", ")))
	}
}

// LoadServices reads the service definitions of files and directories, and nothing else that is in them. Errors are those
// of [Load].
func LoadServices(paths []string) ([]Service, []Warning, error) {
	l := &layers{all: settings{}, unobeyed: map[string]bool{}}
	if err := l.files(paths, ""); err != nil {
		return nil, l.warnings, err
	}
	if err := l.problems.err(); err != nil {
		return nil, l.warnings, err
	}
	services, _ := l.all["services"].value.([]Service)
	return services, l.warnings, nil
}
