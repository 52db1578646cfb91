package local

import (
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// registrations are all the ways of leaving something out, and of saying much.
func registrations() map[string]*messages.RegisterService {
	of := func(s wire.NodeService, checks ...*wire.HealthCheck) *messages.RegisterService {
		r := &messages.RegisterService{Service: &s}
		for _, c := range checks {
			r.Checks = append(r.Checks, messages.CheckDefinition{Check: c})
		}
		return r
	}
	full, check := filled[wire.NodeService](), filled[wire.HealthCheck]()
	full.Kind, full.PeerName, full.Weights = "", "", &wire.Weights{Passing: 3, Warning: 2}
	full.Connect.SidecarService = nil
	check.CheckID, check.Status, check.PeerName = "full", wire.HealthPassing, ""
	return map[string]*messages.RegisterService{
		"name_only":              of(wire.NodeService{Service: "web"}),
		"no_name_of_its_own":     of(wire.NodeService{ID: "web", Service: "web"}),
		"nil_collections":        of(wire.NodeService{ID: "w", Service: "web"}, &wire.HealthCheck{CheckID: "c"}),
		"empty_collections":      of(wire.NodeService{ID: "w", Service: "web", Tags: []string{}, Meta: map[string]string{}, TaggedAddresses: map[string]wire.ServiceAddress{}, Weights: &wire.Weights{Passing: 1}}, &wire.HealthCheck{CheckID: "c", ServiceTags: []string{}, Definition: wire.HealthCheckDefinition{Header: map[string][]string{}, ScriptArgs: []string{}}}),
		"tags":                   of(wire.NodeService{ID: "w", Service: "web", Tags: []string{"b", "a", "b"}}, &wire.HealthCheck{CheckID: "c"}),
		"check_by_name":          of(wire.NodeService{ID: "w", Service: "web"}, &wire.HealthCheck{Name: "c"}),
		"check_of_another_node":  of(wire.NodeService{ID: "w", Service: "web"}, &wire.HealthCheck{CheckID: "c", Node: "other"}),
		"check_with_definition":  of(wire.NodeService{ID: "w", Service: "web"}, &wire.HealthCheck{CheckID: "c", Definition: wire.HealthCheckDefinition{HTTP: "http://x", Interval: time.Second}}),
		"check_with_indexes":     of(wire.NodeService{ID: "w", Service: "web"}, &wire.HealthCheck{CheckID: "c", RaftIndex: wire.RaftIndex{CreateIndex: 7, ModifyIndex: 9}}),
		"proxy_of_any_values":    of(wire.NodeService{Kind: wire.ServiceKindConnectProxy, ID: "p", Service: "p", Port: 1, Proxy: wire.ConnectProxyConfig{DestinationServiceName: "web", Config: map[string]any{"int": 5, "uint": uint8(7), "float": 2.0, "list": []any{1, "a", map[string]any{"x": 1}}, "strings": []string{"s"}, "nothing": nil, "empty": map[string]any{}}}}),
		"sidecar_definition":     of(wire.NodeService{ID: "w", Service: "web", Connect: wire.ServiceConnect{SidecarService: &wire.ServiceDefinition{Port: 5}}}),
		"empty_locality":         of(wire.NodeService{ID: "w", Service: "web", Locality: &wire.Locality{}}),
		"all_there_is":           of(full, &check),
		"tags_others_may_change": of(wire.NodeService{ID: "w", Service: "web", EnableTagOverride: true}, &wire.HealthCheck{CheckID: "c"}),
	}
}

// TestSyncWritesOnce registers through the endpoints into the real state: what the
// catalog makes of a registration must not look like a difference.
func TestSyncWritesOnce(t *testing.T) {
	for name, r := range registrations() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t)
				s.want(t, "the node itself", "node")
				must(t, s, r)
				synctest.Wait()
				if got := s.told(); len(got) != 1 {
					t.Fatalf("a registration is written as %q, want one write", got)
				}
				time.Sleep(10 * syncInterval)
				s.want(t, "ten minutes later")

				must(t, s, r)
				s.want(t, "registered again")

				s.crash()
				time.Sleep(10 * syncInterval)
				s.want(t, "after a restart of the actor")
			})
		})
	}
}

// TestSyncWritesOnceAfterRestart does the same by way of the disk.
func TestSyncWritesOnceAfterRestart(t *testing.T) {
	for name, r := range registrations() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dir, c := t.TempDir(), newCatalog()
				onDisk := func(cfg *Config) { cfg.DataDir = dir }
				s := newStageOn(t, c, onDisk)
				must(t, s, r)
				for id := range s.view.Load().Checks { // as it is after a restart
					must(t, s, result(id, wire.HealthCritical, ""))
				}
				synctest.Wait()
				s.stop()
				c.told()
				s = newStageOn(t, c, onDisk)
				time.Sleep(10 * syncInterval)
				s.want(t, "after a restart of the agent")
				if got := len(s.view.Load().Services); got != 1 {
					t.Errorf("after a restart %d services are registered, want 1", got)
				}
			})
		})
	}
}

// TestNodeInfoIsWrittenOnce does it for what the node says of itself.
func TestNodeInfoIsWrittenOnce(t *testing.T) {
	full := filled[wire.Node]()
	full.ID, full.Node, full.PeerName = nodeID, nodeName, ""
	for name, n := range map[string]*wire.Node{
		"usual":             testNode(),
		"all_there_is":      &full,
		"nothing":           {Node: nodeName, Address: "127.0.0.1"},
		"empty_collections": {Node: nodeName, Address: "127.0.0.1", Meta: map[string]string{}, TaggedAddresses: map[string]string{}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t, func(cfg *Config) { cfg.Node = n })
				time.Sleep(10 * syncInterval)
				s.want(t, "ten minutes later", "node")
			})
		})
	}
}

// TestViewsAreNotWrittenTo reads views while endpoints fill in what they are given.
func TestViewsAreNotWrittenTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		stop := make(chan struct{})
		go func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(time.Millisecond):
					for _, c := range s.view.Load().Checks {
						_ = c.Type + c.Node + c.CheckID
					}
					for _, svc := range s.view.Load().Services {
						_ = svc.ID
					}
				}
			}
		}()
		for i := range 50 {
			must(t, s, web("w", messages.CheckDefinition{Check: &wire.HealthCheck{CheckID: "c"}}))
			must(t, s, result("c", []string{wire.HealthPassing, wire.HealthCritical}[i%2], ""))
			time.Sleep(time.Millisecond)
		}
		close(stop)
	})
}

// TestServersShareTheNode runs a server's local beside what the leader writes of
// the same node.
func TestServersShareTheNode(t *testing.T) {
	leader := &wire.RegisterRequest{
		Datacenter: "dc1", Node: nodeName, ID: nodeID, Address: "127.0.0.1", SkipNodeUpdate: true,
		Service: &wire.NodeService{ID: wire.ConsulServiceID, Service: wire.ConsulServiceName, Port: 8300},
		Check:   &wire.HealthCheck{Node: nodeName, CheckID: wire.SerfCheckID, Name: wire.SerfCheckName, Status: wire.HealthPassing},
	}
	for name, tt := range map[string]struct {
		server bool
		want   []string
	}{
		"server":                   {server: true, want: []string{"node"}},
		"client_that_was_a_server": {want: []string{"node", "-consul"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCatalog()
				c.outside(t, leader)
				s := newStageOn(t, c, func(cfg *Config) { cfg.Server = tt.server })
				time.Sleep(3 * syncInterval)
				s.want(t, "beside the leader", tt.want...)
				if s.check(wire.SerfCheckID) == nil {
					t.Error("the leader's check is gone")
				}
			})
		})
	}
}

// TestWhatIsNotRegisteredHereGoes takes away what was registered at this node from
// outside, the checks of the server's own service too.
func TestWhatIsNotRegisteredHereGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCatalog()
		c.outside(t, &wire.RegisterRequest{
			Datacenter: "dc1", Node: nodeName, ID: nodeID, Address: "127.0.0.1",
			Service: &wire.NodeService{ID: wire.ConsulServiceID, Service: wire.ConsulServiceName},
			Check:   &wire.HealthCheck{Node: nodeName, CheckID: "x", ServiceID: wire.ConsulServiceID},
		})
		c.outside(t, &wire.RegisterRequest{
			Datacenter: "dc1", Node: nodeName, SkipNodeUpdate: true,
			Service: &wire.NodeService{ID: "stray", Service: "stray"},
			Check:   &wire.HealthCheck{Node: nodeName, CheckID: "y", ServiceID: "stray"},
		})
		s := newStageOn(t, c, func(cfg *Config) { cfg.Server = true })
		s.want(t, "at the start", "node", "-stray", "-x")
	})
}

// TestNodeIsFoundByNameOnly keeps an agent from taking the services of a node
// whose ID begins with the agent's name: the catalog finds nodes by that too.
func TestNodeIsFoundByNameOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCatalog()
		c.outside(t, &wire.RegisterRequest{
			Datacenter: "dc1", Node: "other", ID: nodeID, Address: "127.0.0.9",
			Service: &wire.NodeService{ID: "db", Service: "db"},
		})
		read := c.read
		s := newStageOn(t, c, func(cfg *Config) {
			cfg.Node = &wire.Node{Node: nodeID[:4], Address: "127.0.0.1", Datacenter: "dc1"}
			cfg.Read = read
		})
		time.Sleep(3 * syncInterval)
		for _, w := range s.told() {
			if w == "-db" {
				t.Error("a service of another node was deregistered")
			}
		}
	})
}

// TestNodeOfAnother writes nothing to a node that has the name and is another.
func TestNodeOfAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCatalog()
		c.outside(t, &wire.RegisterRequest{
			Datacenter: "dc1", Node: nodeName, ID: "11111111-882b-9ddc-4a9d-5b6758e4159e", Address: "127.0.0.9",
			Service: &wire.NodeService{ID: "db", Service: "db"},
			Check:   &wire.HealthCheck{Node: nodeName, CheckID: wire.SerfCheckID, Status: wire.HealthPassing},
		})
		s := newStageOn(t, c)
		must(t, s, web("web"))
		time.Sleep(syncInterval)
		s.want(t, "while another has the name")
		if !s.logged("could not sync node info") {
			t.Error("nothing was said")
		}
		if c.service("db") == nil || c.node().Address != "127.0.0.9" {
			t.Error("the other node was written to")
		}
	})
}

func TestTagsThatOthersMayChange(t *testing.T) {
	registered := func(tags ...string) *messages.RegisterService {
		return &messages.RegisterService{
			Service: &wire.NodeService{ID: "w", Service: "web", Tags: tags, EnableTagOverride: true},
			Checks:  []messages.CheckDefinition{ttl("c", "w")},
		}
	}
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		must(t, s, registered("a"))
		s.want(t, "registered", "node", "w+c")

		s.outside(t, &wire.RegisterRequest{
			Datacenter: "dc1", Node: nodeName, SkipNodeUpdate: true,
			Service: &wire.NodeService{ID: "w", Service: "web", Tags: []string{"b"}, EnableTagOverride: true},
		})
		time.Sleep(2 * syncInterval)
		s.want(t, "others' tags stay, and the check takes them over", "c")
		if got := s.check("c").ServiceTags; !slices.Equal(got, []string{"b"}) {
			t.Errorf("the catalog's check has the tags %v, want b", got)
		}
		v := s.view.Load()
		if got := v.Services["w"].Tags; !slices.Equal(got, []string{"b"}) || !slices.Equal(v.Checks["c"].ServiceTags, got) {
			t.Errorf("the view has the tags %v and %v, want b", got, v.Checks["c"].ServiceTags)
		}

		must(t, s, registered("c"))
		s.want(t, "new tags from here count", "w+c")
		if got := s.service("w").Tags; !slices.Equal(got, []string{"c"}) {
			t.Errorf("the catalog has the tags %v, want c", got)
		}
		s.outside(t, &wire.RegisterRequest{
			Datacenter: "dc1", Node: nodeName, SkipNodeUpdate: true,
			Service: &wire.NodeService{ID: "w", Service: "web", Tags: []string{"d"}, EnableTagOverride: true},
		})
		time.Sleep(2 * syncInterval)
		s.want(t, "and others' count again at once", "c")
	})
}

func TestOthersChangesAreUndone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		must(t, s, web("w", ttl("c", "w")))
		s.want(t, "registered", "node", "w+c")
		s.outside(t, &wire.RegisterRequest{
			Datacenter: "dc1", Node: nodeName, SkipNodeUpdate: true,
			Service: &wire.NodeService{ID: "w", Service: "web", Port: 99, Tags: []string{"x"}},
			Check:   &wire.HealthCheck{Node: nodeName, CheckID: "c", ServiceID: "w", Status: wire.HealthPassing},
		})
		time.Sleep(2 * syncInterval)
		s.want(t, "within a minute", "w+c")
		if got := s.service("w"); got.Port != 80 || !slices.Equal(got.Tags, []string{"v1"}) || s.check("c").Status != wire.HealthCritical {
			t.Errorf("the catalog has %+v", got)
		}
	})
}

// TestVirtualAddressesStay overlooks the addresses that servers give.
func TestVirtualAddressesStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		must(t, s, web("w"))
		s.want(t, "registered", "node", "w")
		given := *s.service("w")
		given.TaggedAddresses = map[string]wire.ServiceAddress{"consul-virtual": {Address: "240.0.0.1", Port: 80}}
		s.outside(t, &wire.RegisterRequest{Datacenter: "dc1", Node: nodeName, SkipNodeUpdate: true, Service: &given})
		time.Sleep(2 * syncInterval)
		s.want(t, "an address from a server is no difference")
	})
}

// filled returns a value with something in every field.
func filled[T any]() (v T) {
	fill(reflect.ValueOf(&v).Elem(), 0)
	return v
}

func fill(v reflect.Value, depth int) {
	if depth > 12 {
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(time.Second))
		if v.Type() == reflect.TypeFor[int]() {
			v.SetInt(1)
		}
	case reflect.Uint, reflect.Uint64:
		v.SetUint(1)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), depth+1)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), depth+1)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		key, val := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key, depth+1)
		fill(val, depth+1)
		v.SetMapIndex(key, val)
	case reflect.Interface:
		v.Set(reflect.ValueOf("x"))
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), depth+1)
		}
	default:
		panic("cannot fill a " + v.Type().String())
	}
}
