package local

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// The folders of a data directory that hold registrations, one file each.
const (
	services = "services"
	checks   = "checks"
)

// maxFile bounds what is read of a registration.
const maxFile = 1 << 20

// file is what is to become of one file: nil content removes it.
type file struct {
	kind    string // services or checks
	id      string
	content any
}

// What the files hold. The names are Consul's.
type (
	keptService struct {
		Token   string
		Service *wire.NodeService
	}
	keptCheck struct {
		Token string
		Check *wire.HealthCheck
	}
)

func serviceFile(r *messages.RegisterService) file {
	return file{kind: services, id: r.Service.ID, content: keptService{r.Token, r.Service}}
}

func checkFile(r *messages.RegisterCheck) file {
	return file{kind: checks, id: r.Check.CheckID, content: keptCheck{r.Token, r.Check}}
}

// shelf keeps registrations on disk. Its methods block; one goroutine at a time
// uses it.
type shelf struct {
	dir string // empty: nothing is kept
}

func newShelf(dir string) *shelf { return &shelf{dir: dir} }

// put writes and removes files. It stops at the first that fails.
func (s *shelf) put(files []file) error {
	if s.dir == "" {
		return nil
	}
	for _, f := range files {
		if err := s.putOne(f); err != nil {
			return fmt.Errorf("keep %s %q on disk: %w", strings.TrimSuffix(f.kind, "s"), f.id, err)
		}
	}
	return nil
}

func (s *shelf) putOne(f file) error {
	path := s.path(f)
	if f.content == nil {
		if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	text, err := json.Marshal(f.content)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return replace(path, text)
}

// path names a file after the hash of the ID, which may have any character.
func (s *shelf) path(f file) string {
	sum := sha256.Sum256([]byte(f.id))
	return filepath.Join(s.dir, f.kind, hex.EncodeToString(sum[:16]))
}

// replace writes a file as a whole: a crash leaves the old one or the new.
func replace(path string, text []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), "*.tmp")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // nothing, once renamed
	_, err = tmp.Write(text)
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

// load reads what was kept. A file that makes no sense is set aside under
// another name, told of, and does not keep the others from being read.
func (s *shelf) load() *loaded {
	all := &loaded{}
	if s.dir == "" {
		return all
	}
	eachKept(s, services, all, func(k *keptService) bool {
		if k.Service == nil || k.Service.ID == "" {
			return false
		}
		all.services = append(all.services, &messages.RegisterService{Service: k.Service, Token: k.Token})
		return true
	})
	eachKept(s, checks, all, func(k *keptCheck) bool {
		if k.Check == nil || k.Check.CheckID == "" {
			return false
		}
		all.checks = append(all.checks, &messages.RegisterCheck{Check: k.Check, Token: k.Token})
		return true
	})
	return all
}

func eachKept[K any](s *shelf, kind string, all *loaded, take func(*K) bool) {
	entries, err := os.ReadDir(filepath.Join(s.dir, kind))
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			all.problems = append(all.problems, err)
		}
		return
	}
	for _, e := range entries {
		path := filepath.Join(s.dir, kind, e.Name())
		switch filepath.Ext(path) {
		case ".tmp": // of a write that was cut short
			os.Remove(path)
			continue
		case ".damaged":
			continue
		}
		k := new(K)
		if err := readJSON(path, k); err != nil || !take(k) {
			all.problems = append(all.problems, setAside(path, err))
		}
	}
}

func readJSON(path string, into any) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Size() > maxFile {
		return fmt.Errorf("larger than %d bytes", maxFile)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

func setAside(path string, why error) error {
	if why == nil {
		why = errors.New("it lacks an ID")
	}
	aside := path + ".damaged"
	if err := os.Rename(path, aside); err != nil {
		return fmt.Errorf("%s is damaged (%w) and cannot be set aside: %w", path, why, err)
	}
	return fmt.Errorf("%s is damaged (%w) and now called %s; register the service or check again", path, why, filepath.Base(aside))
}
