package local

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// maxFile bounds the file of a registration, when it is written as when it is
// read.
const maxFile = 1 << 20

// shelf keeps registrations: each in a file, and all of them in memory, where the
// next instance of the actor finds them, those of configuration files and of an
// agent without a data directory too. Its methods block.
//
// A file is DIR/services/HASH, DIR/checks/HASH or, of the result of a check that has
// a TTL, DIR/checks/state/HASH, and holds what Consul's does, so that either agent
// finds what the other has kept.
type shelf struct {
	dir    string   // empty: nothing is kept on disk
	config []record // what configuration files say

	// The turn is between the goroutines of two instances: what the last one writes,
	// the next one reads after it.
	turn turn
	all  map[thing]record // nil until it is loaded
}

func newShelf(dir string, config []record) *shelf {
	return &shelf{dir: dir, config: config, turn: newTurn()}
}

// What the files hold. The names are Consul's.
type (
	keptService struct {
		Token                      string
		Service                    *wire.NodeService
		Source                     string
		LocallyRegisteredAsSidecar bool
	}
	keptCheck struct {
		Check   *wire.HealthCheck
		ChkType *wire.CheckType
		Token   string
		Source  string
	}
	keptResult struct {
		CheckID string
		Status  string
		Output  string
		Expires int64     // in seconds since 1970, as Consul has it
		Until   time.Time // the same, exactly
	}
)

// sourceRemote is what Consul calls a registration that came by its API.
const sourceRemote = "remote"

// load returns what is registered, services first. The first time it reads the
// files; a file that makes no sense is set aside under another name, told of in
// problems, and does not keep the others from being read. An error means that
// files cannot be read that may be sound: to go on without them would take their
// services from the catalog.
func (s *shelf) load(ctx context.Context) (all []record, problems []error, err error) {
	if err := s.turn.take(ctx); err != nil {
		return nil, nil, err
	}
	defer s.turn.pass()
	if s.all == nil {
		if problems, err = s.read(); err != nil {
			return nil, problems, fmt.Errorf("registrations kept below %s cannot be read: %w; let the agent read them, or move them away to start without", s.dir, err)
		}
	}
	return slices.SortedFunc(maps.Values(s.all), byThing), problems, nil
}

func (s *shelf) read() (problems []error, err error) {
	var kept []record
	for _, k := range []kind{aService, aCheck, aResult} {
		records, damaged, err := s.readFolder(k)
		problems = append(problems, damaged...)
		if err != nil {
			return problems, err
		}
		kept = append(kept, records...)
	}
	now := settle(kept, s.config)
	for _, r := range now.superseded {
		if err := remove(s.path(r.thing)); err != nil {
			problems = append(problems, fmt.Errorf("%s of a configuration file takes the place of what was registered: %w", r.thing, err))
		}
	}
	for _, r := range now.orphans {
		if r.kind == aResult {
			if err := remove(s.path(r.thing)); err != nil {
				problems = append(problems, err)
			}
			continue
		}
		problems = append(problems, setAside(s.path(r.thing),
			fmt.Errorf("%s is of service '%s', which is not registered", r.thing, r.check.ServiceID)))
	}
	s.all = make(map[thing]record, len(now.all))
	for _, r := range now.all {
		s.all[r.thing] = r
	}
	return problems, nil
}

// put makes the records last: all of them or, with an error, none. It does nothing
// once ctx has ended.
func (s *shelf) put(ctx context.Context, records []record) error {
	if s.turn.take(ctx) != nil {
		return messages.ErrUnavailable
	}
	defer s.turn.pass()
	if ctx.Err() != nil {
		return messages.ErrUnavailable
	}
	if s.dir != "" {
		if err := s.write(records); err != nil {
			return err
		}
	}
	for _, r := range records {
		if r.gone() {
			delete(s.all, r.thing)
			delete(s.all, thing{aResult, r.id}) // of the check, if it is one
		} else {
			s.all[r.thing] = r
		}
	}
	return nil
}

// write brings the files in line with the records. All that can fill a disk comes
// first and leaves the old files as they are.
func (s *shelf) write(records []record) error {
	var staged []stagedFile
	defer func() {
		for _, f := range staged {
			os.Remove(f.tmp) // nothing, once renamed
		}
	}()
	folders := map[string]bool{}
	for _, r := range records {
		path := s.path(r.thing)
		if r.kind != aResult {
			folders[filepath.Dir(path)] = true
		}
		if r.gone() || r.fromConfig {
			continue
		}
		tmp, err := stageFile(path, r)
		if err != nil {
			return fmt.Errorf("%s cannot be kept on disk: %w; nothing was changed", r.thing, err)
		}
		staged = append(staged, stagedFile{tmp, path})
	}
	for _, f := range staged {
		if err := os.Rename(f.tmp, f.path); err != nil {
			return fmt.Errorf("a registration cannot be kept on disk: %w", err)
		}
	}
	for _, r := range records {
		if r.gone() || r.fromConfig {
			if err := remove(s.path(r.thing)); err != nil {
				return fmt.Errorf("%s stays registered: %w", r.thing, err)
			}
		}
		if r.gone() && r.kind == aCheck {
			if err := remove(s.path(thing{aResult, r.id})); err != nil {
				return err
			}
		}
	}
	for folder := range folders {
		if err := syncFolder(folder); err != nil {
			return fmt.Errorf("whether the registration lasts is unknown: %w", err)
		}
	}
	return nil
}

// A stagedFile is written and on disk, but not yet under its name.
type stagedFile struct{ tmp, path string }

// stageFile writes a record beside where it is to be.
func stageFile(path string, r record) (tmp string, err error) {
	text, err := encode(r)
	if err != nil {
		return "", err
	}
	if len(text) > maxFile {
		return "", fmt.Errorf("it has %d bytes, more than %d", len(text), maxFile)
	}
	if err := makeFolder(filepath.Dir(path)); err != nil {
		return "", err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "*.tmp")
	if err != nil {
		return "", err
	}
	_, err = f.Write(text)
	if r.kind != aResult { // one that does not outlive the machine is critical, and there is soon another
		err = errors.Join(err, f.Sync())
	}
	if err := errors.Join(err, f.Close()); err != nil {
		os.Remove(f.Name())
		return "", err
	}
	return f.Name(), nil
}

func makeFolder(path string) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

func encode(r record) ([]byte, error) {
	switch {
	case r.result != nil:
		// The second that it ends in counts: it ends no earlier than it was told to.
		seconds := r.result.expires.Add(time.Second - 1).Unix()
		return json.Marshal(keptResult{r.id, r.result.status, r.result.output, seconds, r.result.expires.Round(0)})
	case r.service != nil:
		return json.Marshal(keptService{r.token, r.service, sourceRemote, r.service.LocallyRegisteredAsSidecar})
	default:
		return json.Marshal(keptCheck{r.check, r.run, r.token, sourceRemote})
	}
}

// decode reads a record. The status of a check is as of long ago: until it has run
// it is critical.
func decode(k kind, text []byte) (record, error) {
	if len(text) > maxFile {
		return record{}, fmt.Errorf("it has more than %d bytes", maxFile)
	}
	switch k {
	case aResult:
		return decodeResult(text)
	case aService:
		var kept keptService
		if err := json.Unmarshal(text, &kept); err != nil {
			return record{}, err
		}
		if kept.Service == nil || kept.Service.ID == "" {
			return record{}, errors.New("it lacks an ID")
		}
		kept.Service.LocallyRegisteredAsSidecar = kept.LocallyRegisteredAsSidecar
		return record{thing: thing{k, kept.Service.ID}, service: kept.Service, token: kept.Token}, nil
	default:
		var kept keptCheck
		if err := json.Unmarshal(text, &kept); err != nil {
			return record{}, err
		}
		if kept.Check == nil || kept.Check.CheckID == "" {
			return record{}, errors.New("it lacks an ID")
		}
		kept.Check.Status, kept.Check.Output = wire.HealthCritical, ""
		return record{thing: thing{k, kept.Check.CheckID}, check: kept.Check, run: kept.ChkType, token: kept.Token}, nil
	}
}

func decodeResult(text []byte) (record, error) {
	var kept keptResult
	if err := json.Unmarshal(text, &kept); err != nil {
		return record{}, err
	}
	switch {
	case kept.CheckID == "":
		return record{}, errors.New("it lacks an ID")
	case !wire.ValidStatus(kept.Status):
		return record{}, fmt.Errorf("it has the status %q", kept.Status)
	}
	expires := kept.Until
	if expires.IsZero() { // Consul has written it
		expires = time.Unix(kept.Expires, 0)
	}
	return record{
		thing:  thing{aResult, kept.CheckID},
		result: &lastResult{status: kept.Status, output: kept.Output, expires: expires},
	}, nil
}

// path names a file after the hash of the ID, which may have any character.
func (s *shelf) path(t thing) string {
	sum := sha256.Sum256([]byte(t.id))
	return filepath.Join(s.folder(t.kind), hex.EncodeToString(sum[:]))
}

func (s *shelf) folder(k kind) string {
	if k == aResult {
		return filepath.Join(s.dir, "checks", "state")
	}
	return filepath.Join(s.dir, string(k)+"s")
}

// The ends of names that are not those of registrations.
const (
	tmpExt   = ".tmp"   // of a write that was cut short
	asideExt = ".aside" // of what was set aside
)

// readFolder reads the registrations of one kind.
func (s *shelf) readFolder(k kind) (all []record, problems []error, err error) {
	if s.dir == "" {
		return nil, nil, nil
	}
	entries, err := os.ReadDir(s.folder(k))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	for _, e := range entries {
		path := filepath.Join(s.folder(k), e.Name())
		switch filepath.Ext(path) {
		case tmpExt:
			if err := remove(path); err != nil {
				problems = append(problems, err)
			}
			continue
		case asideExt:
			continue
		}
		text, err := readFile(path)
		if err != nil {
			return nil, problems, err
		}
		if text == nil {
			continue
		}
		r, err := decode(k, text)
		if err == nil {
			err = s.settleName(path, r)
		}
		if err != nil {
			problems = append(problems, setAside(path, err))
			continue
		}
		all = append(all, r)
	}
	return all, problems, nil
}

// readFile returns the content of a file, cut off beyond what one can have; nil
// when it is not a file, as are the folders that Consul has there.
func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) { // a link to nowhere
		return nil, nil
	}
	if err != nil || !info.Mode().IsRegular() {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxFile+1))
}

// settleName gives a file the name that it has nowadays: Consul has had others.
func (s *shelf) settleName(path string, r record) error {
	want := s.path(r.thing)
	if path == want {
		return nil
	}
	if _, err := os.Lstat(want); err == nil {
		return fmt.Errorf("%s has a file of its own", r.thing)
	}
	return os.Rename(path, want)
}

// setAside renames a file that cannot be used and returns what to tell of it.
func setAside(path string, why error) error {
	aside := path + asideExt
	if err := os.Rename(path, aside); err != nil {
		return fmt.Errorf("%s cannot be used (%w) nor be set aside: %w", path, why, err)
	}
	return fmt.Errorf("%s cannot be used (%w) and is now called %s; register again what was in it", path, why, filepath.Base(aside))
}

// remove removes a file that may be gone.
func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// syncFolder makes what was renamed and removed in a folder last.
func syncFolder(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // nothing was ever kept there
	}
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
