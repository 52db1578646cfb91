package local

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

func serviceRecord(id string, port int) record {
	return record{thing: thing{aService, id}, service: &wire.NodeService{ID: id, Service: "web", Port: port}, token: "secret"}
}

func checkRecord(id, of string) record {
	return record{thing: thing{aCheck, id}, check: ttl(id, of).Check, run: ttl(id, of).Run, token: "secret"}
}

func goneRecord(k kind, id string) record { return record{thing: thing{k, id}} }

// opened returns a shelf that has read dir, and what it has told.
func opened(t *testing.T, dir string, config ...record) (s *shelf, all []record, problems []error) {
	t.Helper()
	s = newShelf(dir, config)
	all, problems, err := s.load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s, all, problems
}

func keep(t *testing.T, s *shelf, records ...record) {
	t.Helper()
	if err := s.put(t.Context(), records); err != nil {
		t.Fatal(err)
	}
}

func names(all []record) (names []string) {
	for _, r := range all {
		names = append(names, r.String())
	}
	return names
}

// files returns the names of the files below dir, by folder, with hashes cut off.
func files(t *testing.T, dir string) (all []string) {
	t.Helper()
	for _, folder := range []string{"services", "checks"} {
		entries, err := os.ReadDir(filepath.Join(dir, folder))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		for _, e := range entries {
			name := e.Name()
			if ext := filepath.Ext(name); len(name)-len(ext) > 8 {
				name = name[:8] + ext
			}
			all = append(all, folder+"/"+name)
		}
	}
	return all
}

func TestShelfKeeps(t *testing.T) {
	tests := []struct {
		name string
		puts [][]record
		want []string
	}{
		{name: "nothing"},
		{name: "service", puts: [][]record{{serviceRecord("w", 1)}}, want: []string{"service 'w'"}},
		{name: "service_and_check", puts: [][]record{{serviceRecord("w", 1), checkRecord("c", "w")}}, want: []string{"service 'w'", "check 'c'"}},
		{name: "replaced", puts: [][]record{{serviceRecord("w", 1)}, {serviceRecord("w", 2)}}, want: []string{"service 'w'"}},
		{name: "check_replaced_by_another", puts: [][]record{{serviceRecord("w", 1), checkRecord("a", "w")}, {serviceRecord("w", 1), checkRecord("b", "w"), goneRecord(aCheck, "a")}}, want: []string{"service 'w'", "check 'b'"}},
		{name: "gone", puts: [][]record{{serviceRecord("w", 1), checkRecord("c", "")}, {goneRecord(aService, "w"), goneRecord(aCheck, "c")}}},
		{name: "never_there", puts: [][]record{{goneRecord(aService, "w")}}},
		{name: "names_of_all_sorts", puts: [][]record{{serviceRecord("../../etc/passwd", 1), serviceRecord("a/b", 1), serviceRecord("Ä ü", 1), serviceRecord(strings.Repeat("x", 1000), 1)}}, want: []string{"service '../../etc/passwd'", "service 'a/b'", "service '" + strings.Repeat("x", 1000) + "'", "service 'Ä ü'"}},
	}
	for _, dir := range []string{"on_disk", "in_memory"} {
		for _, tt := range tests {
			t.Run(dir+"/"+tt.name, func(t *testing.T) {
				path := ""
				if dir == "on_disk" {
					path = t.TempDir()
				}
				s, _, _ := opened(t, path)
				for _, records := range tt.puts {
					keep(t, s, records...)
				}
				if all, _, _ := s.load(t.Context()); !slices.Equal(names(all), tt.want) {
					t.Errorf("the next instance finds %q, want %q", names(all), tt.want)
				}
				if path == "" {
					return
				}
				_, all, problems := opened(t, path)
				if !slices.Equal(names(all), tt.want) || len(problems) != 0 {
					t.Errorf("the next agent finds %q, want %q; problems %v", names(all), tt.want, problems)
				}
			})
		}
	}
}

// TestShelfKeepsEverything writes and reads a value of every field.
func TestShelfKeepsEverything(t *testing.T) {
	svc, check, run := filled[wire.NodeService](), filled[wire.HealthCheck](), filled[wire.CheckType]()
	svc.Proxy.MutualTLSMode, svc.Proxy.Upstreams[0].IngressHosts = "", nil // which no API takes
	svc.Connect.SidecarService = nil                                       // which is not registered
	check.Status, check.Output = wire.HealthCritical, ""                   // which is of long ago
	dir := t.TempDir()
	s, _, _ := opened(t, dir)
	want := []record{
		{thing: thing{aService, svc.ID}, service: &svc, token: "t"},
		{thing: thing{aCheck, check.CheckID}, check: &check, run: &run, token: "u"},
		{thing: thing{aCheck, "unrun"}, check: &wire.HealthCheck{CheckID: "unrun", ServiceID: svc.ID, Status: wire.HealthCritical}},
	}
	keep(t, s, want...)
	_, got, problems := opened(t, dir)
	if len(problems) != 0 || len(got) != 3 {
		t.Fatalf("found %q, problems %v", names(got), problems)
	}
	slices.SortFunc(want, byThing)
	for i := range want {
		if !reflect.DeepEqual(got[i], want[i]) {
			x, _ := json.Marshal([]any{got[i].service, got[i].check, got[i].run})
			y, _ := json.Marshal([]any{want[i].service, want[i].check, want[i].run})
			t.Errorf("read   %s %s\nwritten %s %s", got[i].token, x, want[i].token, y)
		}
	}
}

func TestChecksAreCriticalUntilTheyRun(t *testing.T) {
	dir := t.TempDir()
	s, _, _ := opened(t, dir)
	r := checkRecord("c", "")
	r.check.Status = wire.HealthPassing
	keep(t, s, r)
	_, all, _ := opened(t, dir)
	if all[0].check.Status != wire.HealthCritical {
		t.Errorf("a check is %s after a restart, want critical", all[0].check.Status)
	}
}

func TestFilesAreForTheAgentOnly(t *testing.T) {
	dir := t.TempDir()
	s, _, _ := opened(t, dir)
	keep(t, s, serviceRecord("w", 1))
	for path, want := range map[string]os.FileMode{filepath.Join(dir, "services"): 0o700, s.path(thing{aService, "w"}): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v %v, want %v: it holds tokens", path, info.Mode().Perm(), err, want)
		}
	}
}

func TestWriteThatWasCutShort(t *testing.T) {
	dir := t.TempDir()
	s, _, _ := opened(t, dir)
	keep(t, s, serviceRecord("w", 1))
	// The agent dies between the writing and the renaming.
	if _, err := stageFile(s.path(thing{aService, "w"}), serviceRecord("w", 2)); err != nil {
		t.Fatal(err)
	}
	// Or in the middle of the writing.
	if err := os.WriteFile(filepath.Join(dir, "services", "123.tmp"), []byte(`{"Tok`), 0o600); err != nil {
		t.Fatal(err)
	}
	_, all, problems := opened(t, dir)
	if len(all) != 1 || all[0].service.Port != 1 || len(problems) != 0 {
		t.Errorf("found %q, problems %v, want the old one", names(all), problems)
	}
	if got := files(t, dir); len(got) != 1 {
		t.Errorf("files %q, want one", got)
	}
}

func TestDamagedFilesAreSetAside(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"empty":       {"", "unexpected end of JSON input"},
		"cut_off":     {`{"Token":"","Service":{"ID":"w"`, "unexpected end of JSON input"},
		"another":     {`[1]`, "cannot unmarshal"},
		"no_service":  {`{"Token":"t"}`, "it lacks an ID"},
		"no_id":       {`{"Service":{"Service":"web"}}`, "it lacks an ID"},
		"too_large":   {`{"Token":"` + strings.Repeat("x", maxFile) + `"}`, "it has more than 1048576 bytes"},
		"nested_deep": {strings.Repeat("[", 20000), "exceeded max depth"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s, _, _ := opened(t, dir)
			keep(t, s, serviceRecord("w", 1), serviceRecord("sound", 1))
			path := s.path(thing{aService, "w"})
			if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, all, problems := opened(t, dir)
			if got := names(all); !slices.Equal(got, []string{"service 'sound'"}) {
				t.Errorf("found %q, want the sound one", got)
			}
			if len(problems) != 1 || !strings.Contains(problems[0].Error(), tt.want) || !strings.Contains(problems[0].Error(), "register again") {
				t.Errorf("problems %v, want %q and what to do", problems, tt.want)
			}
			if text, err := os.ReadFile(path + asideExt); err != nil || string(text) != tt.text {
				t.Errorf("the damaged file is lost: %v", err)
			}
			if _, _, problems := opened(t, dir); len(problems) != 0 {
				t.Errorf("the next time it is told of again: %v", problems)
			}
		})
	}
}

// TestUnreadableFilesAreNotTakenForNone: to go on would take sound services from
// the catalog.
func TestUnreadableFilesAreNotTakenForNone(t *testing.T) {
	tests := map[string]func(dir string) error{
		"folder_is_a_file": func(dir string) error { return os.WriteFile(filepath.Join(dir, "services"), nil, 0o600) },
		"link_in_a_circle": func(dir string) error {
			path := filepath.Join(dir, "checks", "x")
			return errors.Join(os.Mkdir(filepath.Dir(path), 0o700), os.Symlink(path, path))
		},
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := spoil(dir); err != nil {
				t.Fatal(err)
			}
			_, _, err := newShelf(dir, nil).load(t.Context())
			if err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "move them away") {
				t.Errorf("err = %v, want where, and what to do", err)
			}
		})
	}
}

// TestFilesOfConsul reads what Consul has in the same folders, under names it once
// used, beside folders of its own.
func TestFilesOfConsul(t *testing.T) {
	dir := t.TempDir()
	for path, text := range map[string]string{
		"services/2567a5ec9705eb7ac2c984033e06189d": `{"Token":"t","Service":{"ID":"web1","Service":"web","Tags":["a"],"Address":"","TaggedAddresses":null,"Meta":{"x":"y"},"Port":8000,"Weights":{"Passing":1,"Warning":1},"EnableTagOverride":false,"Proxy":{"Mode":"","MeshGateway":{},"Expose":{}},"Connect":{},"PeerName":"","CreateIndex":0,"ModifyIndex":0},"Source":"remote","LocallyRegisteredAsSidecar":true}`,
		"checks/8ba0b7c1d6ee1bc0ef6c85eb3a1f2c3d":   `{"Check":{"Node":"old","CheckID":"service:web1","Name":"Service 'web' check","Status":"passing","ServiceID":"web1","ServiceName":"web","Type":"ttl","Interval":"0s","Timeout":"0s","Definition":{}},"ChkType":{"CheckID":"","Name":"","TTL":10000000000,"Interval":"0s"},"Token":"t","Source":"remote"}`,
		"checks/state/8ba0":                         `{"CheckID":"service:web1","Status":"passing","Output":"ok","Expires":4102444800}`,
		"checks/state/9cb1":                         `{"CheckID":"gone","Status":"passing","Output":"ok","Expires":4102444800}`,
		"services/configs/1":                        `{}`,
	} {
		path = filepath.Join(dir, path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("nowhere", filepath.Join(dir, "checks", "link")); err != nil {
		t.Fatal(err)
	}
	s, all, problems := opened(t, dir)
	if got := names(all); !slices.Equal(got, []string{"service 'web1'", "check 'service:web1'", "result 'service:web1'"}) || len(problems) != 0 {
		t.Fatalf("found %q, problems %v", got, problems)
	}
	if all[0].token != "t" || !all[0].service.LocallyRegisteredAsSidecar || all[1].run.TTL.Seconds() != 10 {
		t.Errorf("found %+v %+v", all[0], all[1])
	}
	if r := all[2].result; r.status != "passing" || r.output != "ok" || r.expires.Unix() != 4102444800 {
		t.Errorf("found %+v", r)
	}
	keep(t, s, goneRecord(aService, "web1"), goneRecord(aCheck, "service:web1"))
	if _, all, _ := opened(t, dir); len(all) != 0 {
		t.Errorf("what was deregistered comes back: %q", names(all))
	}
}

func TestSecondFileOfTheSameID(t *testing.T) {
	dir := t.TempDir()
	s, _, _ := opened(t, dir)
	keep(t, s, serviceRecord("w", 1))
	text, _ := encode(serviceRecord("w", 2))
	if err := os.WriteFile(filepath.Join(dir, "services", "0"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	_, all, problems := opened(t, dir)
	if len(all) != 1 || all[0].service.Port != 1 || len(problems) != 1 {
		t.Errorf("found %+v, problems %v", all, problems)
	}
}

// TestFullDisk has the second of two files fail, as on a disk that fills up: the
// change is not made by halves.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	s, _, _ := opened(t, dir)
	keep(t, s, serviceRecord("w", 1))
	if err := os.WriteFile(filepath.Join(dir, "checks"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err := s.put(t.Context(), []record{serviceRecord("w", 2), checkRecord("c", "w")})
	if err == nil || !strings.Contains(err.Error(), "check 'c' cannot be kept on disk") || !strings.Contains(err.Error(), "nothing was changed") {
		t.Errorf("err = %v", err)
	}
	if err := os.Remove(filepath.Join(dir, "checks")); err != nil {
		t.Fatal(err)
	}
	for when, all := range map[string]func() []record{
		"instance": func() []record { all, _, _ := s.load(t.Context()); return all },
		"agent":    func() []record { _, all, _ := opened(t, dir); return all },
	} {
		if got := all(); len(got) != 1 || got[0].service.Port != 1 {
			t.Errorf("the next %s finds %q, want the old one", when, names(got))
		}
	}
	if got := files(t, dir); len(got) != 1 {
		t.Errorf("files %q, want one", got)
	}
	keep(t, s, serviceRecord("w", 2), checkRecord("c", "w")) // once there is room
}

func TestRegistrationThatIsTooLarge(t *testing.T) {
	s, _, _ := opened(t, t.TempDir())
	r := serviceRecord("w", 1)
	r.service.Meta = map[string]string{"x": strings.Repeat("x", maxFile)}
	if err := s.put(t.Context(), []record{r}); err == nil || !strings.Contains(err.Error(), "more than 1048576") {
		t.Errorf("err = %v: what is written has to be readable", err)
	}
}

func TestConfigurationSupersedes(t *testing.T) {
	dir := t.TempDir()
	s, _, _ := opened(t, dir)
	keep(t, s, serviceRecord("w", 1), checkRecord("c", "w"), checkRecord("d", "w"))
	config := []record{serviceRecord("w", 2), checkRecord("c", "w")}
	for i := range config {
		config[i].fromConfig = true
	}
	_, all, problems := opened(t, dir, config...)
	if !slices.Equal(names(all), []string{"service 'w'", "check 'c'", "check 'd'"}) || all[0].service.Port != 2 || len(problems) != 0 {
		t.Errorf("found %q, problems %v", names(all), problems)
	}
	// Without the configuration file nothing of it comes back, and what is left is of
	// no service.
	_, all, problems = opened(t, dir)
	if len(all) != 0 || len(problems) != 1 || !strings.Contains(problems[0].Error(), "check 'd' is of service 'w', which is not registered") {
		t.Errorf("later %q, problems %v", names(all), problems)
	}
}

func TestConfigurationIsNotKept(t *testing.T) {
	dir := t.TempDir()
	s, _, _ := opened(t, dir)
	keep(t, s, serviceRecord("w", 1))
	r := serviceRecord("w", 2)
	r.fromConfig = true
	keep(t, s, r)
	if got := files(t, dir); len(got) != 0 {
		t.Errorf("files %q, want none", got)
	}
	if all, _, _ := s.load(t.Context()); len(all) != 1 || all[0].service.Port != 2 {
		t.Errorf("the next instance finds %q", names(all))
	}
}

// TestShelfIsClosedToInstancesThatEnded: what a late goroutine writes would come
// after the next instance has read.
func TestShelfIsClosedToInstancesThatEnded(t *testing.T) {
	dir := t.TempDir()
	s, _, _ := opened(t, dir)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 20 { // it is nobody's turn, so that chance decides what is seen first
		if err := s.put(ctx, []record{serviceRecord("w", 1)}); !errors.Is(err, messages.ErrUnavailable) {
			t.Errorf("err = %v", err)
		}
	}
	if got := files(t, dir); len(got) != 0 {
		t.Errorf("files %q, want none", got)
	}
}
