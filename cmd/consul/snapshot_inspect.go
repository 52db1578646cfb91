package main

import (
	"cmp"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/hashicorp/cli"
	"github.com/hashicorp/raft"

	"github.com/actor-consul/consul/messages/archive"
	"github.com/actor-consul/consul/messages/wire"
)

// snapshotInspectCommand shows what is in an archive.
type snapshotInspectCommand struct {
	command
	keyDetails bool
	keys       archive.KeyOptions
	format     choice
}

func newSnapshotInspectCommand(ui cli.Ui) cli.Command {
	c := &snapshotInspectCommand{
		command: newCommand(ui, words{
			name:     "snapshot inspect",
			operands: "FILE",
			synopsis: "Displays information about a Consul snapshot file",
			about: `
Checks that FILE, an archive of "consul snapshot save", is whole, and shows of which
moment it is and how much there is in it of what. It asks no agent. FILE may also be
the state.bin of a server's own snapshot, beside which is its meta.json.`,
			example: `
$ consul snapshot inspect backup.snap
 ID           2-13-1602222343947
 Size         5141
 Index        13
 Term         2
 Version      1

 Type           Count      Size
 ----           ----       ----
 Register       3          1.7KB
 ...

$ consul snapshot inspect -kvdetails -kvdepth=3 -kvfilter=vault/ backup.snap`,
		}),
		format: choice{word: "pretty", options: []string{"pretty", "json"}},
	}
	c.flags.Var(&c.format, "format", "print as `FORMAT`: pretty or json")
	c.flags.BoolVar(&c.keyDetails, "kvdetails", false, "show how much the keys of the KV store take up")
	c.flags.IntVar(&c.keys.Depth, "kvdepth", 2, "with -kvdetails: take keys together that are the same up to `N` slashes")
	c.flags.StringVar(&c.keys.Prefix, "kvfilter", "", "with -kvdetails: only keys that begin with `PREFIX`")
	return c
}

// Run implements cli.Command.
func (c *snapshotInspectCommand) Run(args []string) int {
	operands, ok := c.parse(args, 1, 1)
	if !ok {
		return 1
	}
	keys, err := c.keyOptions()
	if err != nil {
		return c.misused(err)
	}
	meta, summary, err := inspect(operands[0], keys)
	if err != nil {
		return c.failed("Error reading snapshot: %s", err)
	}
	report := newSnapshotReport(meta, summary)
	if c.format.word == "json" {
		c.ui.Output(toJSON(report))
	} else {
		c.ui.Output(report.table())
	}
	return 0
}

// keyOptions returns how keys are to be counted, nil for not at all.
func (c *snapshotInspectCommand) keyOptions() (*archive.KeyOptions, error) {
	if c.keyDetails {
		if c.keys.Depth < 0 {
			return nil, fmt.Errorf("-kvdepth is %d, and cannot be below 0", c.keys.Depth)
		}
		return &c.keys, nil
	}
	var err error
	c.flags.Visit(func(f *flag.Flag) {
		if f.Name == "kvdepth" || f.Name == "kvfilter" {
			err = fmt.Errorf("-%s says how the keys are shown, which needs -kvdetails", f.Name)
		}
	})
	return nil, err
}

// inspect reads an archive, or the file of one of raft's own snapshots.
func inspect(path string, keys *archive.KeyOptions) (meta *raft.SnapshotMeta, summary *archive.Summary, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	if strings.EqualFold(filepath.Base(path), archive.StateFile) {
		meta, summary, err = inspectRaw(path, f, keys)
	} else {
		meta, summary, err = archive.Inspect(f, keys, archive.Limits{})
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return meta, summary, nil
}

// inspectRaw reads a state.bin beside which is its meta.json.
func inspectRaw(path string, state io.Reader, keys *archive.KeyOptions) (*raft.SnapshotMeta, *archive.Summary, error) {
	text, err := os.ReadFile(filepath.Join(filepath.Dir(path), archive.MetaFile))
	if err != nil {
		return nil, nil, fmt.Errorf("its description: %w", err)
	}
	meta, err := archive.ParseMeta(text)
	if err != nil {
		return nil, nil, err
	}
	summary, err := archive.InspectState(state, keys)
	if err == nil && summary.Size != meta.Size {
		err = fmt.Errorf("it has %d bytes, and %s says %d", summary.Size, archive.MetaFile, meta.Size)
	}
	return meta, summary, err
}

// snapshotReport is what is shown of an archive. Its names are those of Consul's
// JSON.
type snapshotReport struct {
	Meta        snapshotMeta
	Stats       []snapshotStat
	StatsKV     []snapshotStat
	TotalSize   int64
	TotalSizeKV int64
}

// snapshotMeta says which snapshot it is.
type snapshotMeta struct {
	ID      string
	Size    int64
	Index   uint64
	Term    uint64
	Version raft.SnapshotVersion
}

// snapshotStat is what records of one kind take up, in bytes.
type snapshotStat struct {
	Name  string
	Sum   int64
	Count int
}

func newSnapshotReport(meta *raft.SnapshotMeta, s *archive.Summary) *snapshotReport {
	return &snapshotReport{
		Meta:        snapshotMeta{ID: meta.ID, Size: meta.Size, Index: meta.Index, Term: meta.Term, Version: meta.Version},
		Stats:       stats(s.Types, func(u archive.Usage) string { return wire.MessageType(u.Type).String() }),
		StatsKV:     stats(s.Keys, func(u archive.Usage) string { return u.Prefix }),
		TotalSize:   s.Size,
		TotalSizeKV: s.KeySize,
	}
}

// stats names usages, and sorts them by size and then by name.
func stats(usages []archive.Usage, name func(archive.Usage) string) []snapshotStat {
	var all []snapshotStat
	for _, u := range usages {
		all = append(all, snapshotStat{Name: name(u), Sum: u.Size, Count: u.Count})
	}
	slices.SortFunc(all, func(a, b snapshotStat) int {
		return cmp.Or(cmp.Compare(b.Sum, a.Sum), cmp.Compare(a.Name, b.Name))
	})
	return all
}

// table shows the report as Consul does, column for column.
func (r *snapshotReport) table() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 8, 8, 6, ' ', 0)
	fmt.Fprintf(w, " ID\t%s\n Size\t%d\n Index\t%d\n Term\t%d\n Version\t%d\n",
		printable(r.Meta.ID), r.Meta.Size, r.Meta.Index, r.Meta.Term, r.Meta.Version)
	statsTable(w, "Type", r.Stats, r.TotalSize)
	if r.StatsKV != nil {
		statsTable(w, "Key Name", r.StatsKV, r.TotalSizeKV)
	}
	w.Flush() //nolint:errcheck // a builder takes everything
	return strings.TrimSuffix(b.String(), "\n")
}

func statsTable(w io.Writer, head string, all []snapshotStat, total int64) {
	const line = "----"
	fmt.Fprintf(w, "\n %s\tCount\tSize\n %s\t%s\t%s\n", head, line, line, line)
	for _, s := range all {
		fmt.Fprintf(w, " %s\t%d\t%s\n", printable(s.Name), s.Count, byteSize(s.Sum))
	}
	fmt.Fprintf(w, " %s\t%s\t%s\n Total\t\t%s\n", line, line, line, byteSize(total))
}

// byteSize writes a size as Consul does: 17.2KB, in units of 1024.
func byteSize(bytes int64) string {
	if bytes == 0 {
		return "0"
	}
	value, unit := float64(bytes), 0
	units := []string{"B", "KB", "MB", "GB", "TB"}
	for value >= 1024 && unit < len(units)-1 {
		value, unit = value/1024, unit+1
	}
	return strings.TrimSuffix(strconv.FormatFloat(value, 'f', 1, 64), ".0") + units[unit]
}
