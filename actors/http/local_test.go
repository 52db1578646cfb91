package http

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	consul "github.com/hashicorp/consul/api"

	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// registered plays the actors local and health: it believes everything that it is
// told.
type registered struct {
	view     messages.Published[messages.LocalView]
	services map[string]*wire.NodeService
	checks   map[string]*wire.HealthCheck
	runs     map[string]*wire.CheckType
	next     chan struct{}
	heard    []any
}

func newRegistered() *registered {
	r := &registered{services: map[string]*wire.NodeService{}, checks: map[string]*wire.HealthCheck{}, runs: map[string]*wire.CheckType{}}
	r.publish()
	return r
}

func (r *registered) publish() {
	before := r.next
	v := &messages.LocalView{Services: map[string]*wire.NodeService{}, Checks: map[string]*wire.HealthCheck{}}
	for id, s := range r.services {
		v.Services[id] = s
	}
	for id, c := range r.checks {
		v.Checks[id] = c
	}
	r.next = make(chan struct{})
	v.Changed = r.next
	r.view.Publish(v)
	if before != nil {
		close(before)
	}
}

func (r *registered) check(c messages.CheckDefinition) {
	def := *c.Check
	def.Node = nodeName
	if s := r.services[def.ServiceID]; s != nil {
		def.ServiceName, def.ServiceTags = s.Service, s.Tags
	}
	r.checks[def.CheckID], r.runs[def.CheckID] = &def, c.Run
}

func (r *registered) asked(ctx actor.Context) bool {
	var err error
	switch msg := ctx.Message().(type) {
	case *messages.AwaitSync:
		msg.Answer(messages.Unit{})
		return true
	case *messages.RegisterService:
		r.services[msg.Service.ID] = msg.Service
		for _, c := range msg.Checks {
			r.check(c)
		}
	case *messages.DeregisterService:
		if r.services[msg.ID] == nil {
			err = fmt.Errorf("%w %q. Ensure that the service ID is passed, not the service name.", messages.ErrUnknownService, msg.ID)
		}
		delete(r.services, msg.ID)
	case *messages.RegisterCheck:
		r.check(msg.CheckDefinition)
	case *messages.DeregisterCheck:
		err = r.known(msg.ID)
		delete(r.checks, msg.ID)
	case *messages.ReportCheck:
		if err = r.known(msg.ID); err == nil {
			def := *r.checks[msg.ID]
			def.Status, def.Output = msg.Status, msg.Output
			r.checks[msg.ID] = &def
		}
	}
	r.heard = append(r.heard, ctx.Message())
	r.publish()
	ctx.Message().(interface {
		Settle(messages.Unit, error)
	}).Settle(messages.Unit{}, err)
	return true
}

func (r *registered) known(id string) error {
	if r.checks[id] == nil {
		return fmt.Errorf("%w %q. Ensure that the check ID is passed, not the check name.", messages.ErrUnknownCheck, id)
	}
	return nil
}

const (
	web1     = `{"ID":"web1","Service":"web","Address":"127.0.0.5","Port":8080,"Tags":["v1","blue"],"Meta":{"os":"linux"},"Datacenter":"dc1","EnableTagOverride":false,"Weights":{"Passing":1,"Warning":1},"TaggedAddresses":{"lan_ipv4":{"Address":"127.0.0.5","Port":8080},"wan_ipv4":{"Address":"127.0.0.5","Port":8080}}}`
	web2     = `{"ID":"web2","Service":"web","Address":"","Port":8081,"Tags":["v2"],"Meta":{},"Datacenter":"dc1","EnableTagOverride":false,"Weights":{"Passing":5,"Warning":2}}`
	ofWeb1   = `"Node":"n1","ServiceID":"web1","ServiceName":"web","ServiceTags":["v1","blue"]`
	ofWeb2   = `"Node":"n1","ServiceID":"web2","ServiceName":"web","ServiceTags":["v2"]`
	noRun    = `"Definition":{},"ExposedPort":0,"Interval":"","Timeout":""`
	oldCheck = `"ExposedPort":0,"Type":"","Definition":{"Body":"","DeregisterCriticalServiceAfter":"0s","GRPC":"","GRPCUseTLS":false,"HTTP":"","Header":null,"Interval":"0s","Method":"","OSService":"","TCP":"","TCPUseTLS":false,"TLSServerName":"","TLSSkipVerify":false,"Timeout":"0s","UDP":""}`
	webCheck = `{"CheckID":"service:web1","Name":"Service 'web' check","Status":"critical","Notes":"","Output":"","Type":"ttl",` + ofWeb1 + `,` + noRun + `}`
	memCheck = `{"CheckID":"mem","Name":"memory","Status":"warning","Notes":"n","Output":"","Type":"ttl",` + ofWeb2 + `,` + noRun + `}`
	oneCheck = `{"CheckID":"service:web2:1","Name":"Service 'web' check","Status":"passing","Notes":"","Output":"","Type":"ttl",` + ofWeb2 + `,` + noRun + `}`
	web2Info = `{"AggregatedStatus":"warning","Service":` + web2 + `,"Checks":[
		{"CheckID":"mem","Name":"memory","Status":"warning","Notes":"n","Output":"",` + ofWeb2 + `,` + oldCheck + `},
		{"CheckID":"service:web2:1","Name":"Service 'web' check","Status":"passing","Notes":"","Output":"",` + ofWeb2 + `,` + oldCheck + `}]}`
	web1Info = `{"AggregatedStatus":"critical","Service":` + web1 + `,"Checks":[
		{"CheckID":"service:web1","Name":"Service 'web' check","Status":"critical","Notes":"","Output":"",` + ofWeb1 + `,` + oldCheck + `}]}`
)

var agentSteps = []step{
	{name: "register_web", request: "PUT /v1/agent/service/register", body: `{"ID":"web1","Name":"web","Tags":["v1","blue"],"Port":8080,"Address":"127.0.0.5","Meta":{"os":"linux"},"Check":{"TTL":"60s"}}`},
	{name: "register_web2", request: "PUT /v1/agent/service/register", body: `{"ID":"web2","Name":"web","Tags":["v2"],"Port":8081,"Weights":{"Passing":5,"Warning":2},
		"Checks":[{"TTL":"60s","Status":"passing"},{"CheckID":"mem","Name":"memory","TTL":"60s","Status":"warning","Notes":"n"}]}`},
	{name: "register_no_name", request: "PUT /v1/agent/service/register", body: `{"ID":"x"}`, status: 400, want: "Missing service name"},
	{name: "register_bad_json", request: "PUT /v1/agent/service/register", body: `{"ID":`, status: 400, want: "Request decode failed: unexpected EOF"},
	{name: "register_bad_check", request: "PUT /v1/agent/service/register", body: `{"Name":"y","Check":{"HTTP":"http://x"}}`, status: 400, want: "Invalid check: Interval must be > 0 for Script, HTTP, H2PING, TCP, UDP or OSService checks"},
	{name: "register_in_a_namespace", request: "PUT /v1/agent/service/register?ns=x", body: `{"Name":"y"}`, status: 400, want: `Invalid query parameter: "ns" - Namespaces are a Consul Enterprise feature`},
	{name: "register_for_a_tenant", request: "PUT /v1/agent/service/register", body: `{"Name":"y","Namespace":"x"}`, status: 400, want: `Request decode failed: json: unknown field "Namespace" - Namespaces are a Consul Enterprise feature`},
	{name: "register_a_check_for_a_tenant", request: "PUT /v1/agent/service/register", body: `{"Name":"y","Checks":[{"TTL":"1s"},{"TTL":"1s","Partition":"x"}]}`, status: 400, want: `Request decode failed: json: unknown field "Partition" - Partitions are a Consul Enterprise feature`},
	{name: "register_GET", request: "GET /v1/agent/service/register", status: 405, want: "method GET not allowed", headers: "allow=OPTIONS,PUT"},
	{name: "services", request: "GET /v1/agent/services", want: `{"web1":` + web1 + `,"web2":` + web2 + `}`},
	{name: "services_filtered", request: "GET /v1/agent/services?filter=v2+in+Tags", want: `{"web2":` + web2 + `}`},
	{name: "services_bad_filter", request: "GET /v1/agent/services?filter=Nope==x", status: 500, want: `Failed to create boolean expression evaluator: Selector "Nope" is not valid`},
	{name: "checks", request: "GET /v1/agent/checks", want: `{"mem":` + memCheck + `,"service:web1":` + webCheck + `,"service:web2:1":` + oneCheck + `}`},
	{name: "checks_filtered", request: "GET /v1/agent/checks?filter=Status==critical", want: `{"service:web1":` + webCheck + `}`},
	{name: "service", request: "GET /v1/agent/service/web2", want: strings.Replace(web2, "{", `{"ContentHash":"7cef4a6faefceaa1",`, 1)},
	{name: "service_missing", request: "GET /v1/agent/service/nope", status: 404, want: "unknown service ID: nope"},
	{name: "service_bad_wait", request: "GET /v1/agent/service/web1?wait=x", status: 400, want: "Invalid wait time"},
	{name: "health_of_an_ID", request: "GET /v1/agent/health/service/id/web2", status: 429, want: web2Info, headers: "x-consul-reason=warning"},
	{name: "health_of_a_name", request: "GET /v1/agent/health/service/name/web", status: 503, want: "[" + web1Info + "," + web2Info + "]", headers: "x-consul-reason=critical"},
	{name: "health_as_text", request: "GET /v1/agent/health/service/id/web1?format=text", status: 503, want: "critical", headers: "x-consul-reason=critical"},
	{name: "health_of_a_name_as_text", request: "GET /v1/agent/health/service/name/web?format=text", status: 503, want: "critical", headers: "x-consul-reason=critical"},
	{name: "health_missing", request: "GET /v1/agent/health/service/id/nope", status: 404, want: `{"AggregatedStatus":"critical","Checks":null,"Service":null}`, headers: "x-consul-reason=ServiceId_nope_not_found"},
	{name: "health_missing_name", request: "GET /v1/agent/health/service/name/nope", status: 404, want: `[]`, headers: "x-consul-reason=ServiceName_nope_Not_Found"},
	{name: "health_of_nothing", request: "GET /v1/agent/health/service/id/", status: 400, want: "Missing serviceID"},
	{name: "health_of_no_name", request: "GET /v1/agent/health/service/name/", status: 400, want: "Missing service Name"},
	{name: "pass", request: "PUT /v1/agent/check/pass/service:web1?note=ok"},
	{name: "passed", request: "GET /v1/agent/checks?filter=Output==ok", want: `{"service:web1":` + strings.NewReplacer(`"critical"`, `"passing"`, `"Output":""`, `"Output":"ok"`).Replace(webCheck) + `}`},
	{name: "healthy", request: "GET /v1/agent/health/service/id/web1?format=text", want: "passing", headers: "x-consul-reason=passing"},
	{name: "warn", request: "PUT /v1/agent/check/warn/service:web1"},
	{name: "fail", request: "PUT /v1/agent/check/fail/service:web1?note=no"},
	{name: "update", request: "PUT /v1/agent/check/update/service:web1", body: `{"Status":"passing","Output":"out"}`},
	{name: "update_bad", request: "PUT /v1/agent/check/update/service:web1", body: `{"Status":"odd"}`, status: 400, want: "Invalid check status: 'odd'"},
	{name: "pass_unknown", request: "PUT /v1/agent/check/pass/nope", status: 404, want: `Unknown check ID "nope". Ensure that the check ID is passed, not the check name.`},
	{name: "check_register", request: "PUT /v1/agent/check/register", body: `{"ID":"disk","Name":"disk","TTL":"30s","Notes":"d"}`},
	{name: "check_of_the_node", request: "GET /v1/agent/checks?filter=CheckID==disk", want: `{"disk":{"CheckID":"disk","Name":"disk","Node":"n1","Notes":"d","Output":"","ServiceID":"","ServiceName":"","ServiceTags":[],"Status":"critical","Type":"ttl","Definition":{},"ExposedPort":0,"Interval":"0s","Timeout":"0s"}}`},
	{name: "check_no_name", request: "PUT /v1/agent/check/register", body: `{"TTL":"30s"}`, status: 400, want: "Missing check name"},
	{name: "check_no_type", request: "PUT /v1/agent/check/register", body: `{"Name":"z"}`, status: 400, want: "Invalid check: TTL must be > 0 for TTL checks"},
	{name: "check_bad_service", request: "PUT /v1/agent/check/register", body: `{"Name":"z","TTL":"5s","ServiceID":"nope"}`, status: 404, want: `ServiceID "nope" does not exist`},
	{name: "dereg_check", request: "PUT /v1/agent/check/deregister/disk"},
	{name: "dereg_unknown_check", request: "PUT /v1/agent/check/deregister/nope", status: 404, want: `Unknown check ID "nope". Ensure that the check ID is passed, not the check name.`},
	{name: "maint_bad", request: "PUT /v1/agent/service/maintenance/web2", status: 400, want: "Missing value for enable"},
	{name: "maint_odd", request: "PUT /v1/agent/service/maintenance/web2?enable=maybe", status: 400, want: `Invalid value for enable: "maybe"`},
	{name: "maint_nothing", request: "PUT /v1/agent/service/maintenance/?enable=true", status: 400, want: "Missing service ID"},
	{name: "maint_unknown", request: "PUT /v1/agent/service/maintenance/nope?enable=true", status: 404, want: `Unknown service ID "nope". Ensure that the service ID is passed, not the service name.`},
	{name: "maint_on", request: "PUT /v1/agent/service/maintenance/web2?enable=true&reason=why"},
	{name: "maint_on_again", request: "PUT /v1/agent/service/maintenance/web2?enable=true&reason=other"},
	{name: "maint_check", request: "GET /v1/agent/checks?filter=Type==maintenance", want: `{"_service_maintenance:web2":{"CheckID":"_service_maintenance:web2","Name":"Service Maintenance Mode","Notes":"why","Output":"","Status":"critical","Type":"maintenance",` + ofWeb2 + `,` + noRun + `}}`},
	{name: "maint_health", request: "GET /v1/agent/health/service/id/web2?format=text", status: 503, want: "maintenance", headers: "x-consul-reason=maintenance"},
	{name: "maint_off", request: "PUT /v1/agent/service/maintenance/web2?enable=false"},
	{name: "maint_off_again", request: "PUT /v1/agent/service/maintenance/web2?enable=false"},
	{name: "node_maint", request: "PUT /v1/agent/maintenance?enable=true"},
	{name: "node_maint_check", request: "GET /v1/agent/checks?filter=Type==maintenance", want: `{"_node_maintenance":{"CheckID":"_node_maintenance","Name":"Node Maintenance Mode","Notes":"Maintenance mode is enabled for this node, but no reason was provided. This is a default message.","Output":"","Status":"critical","Type":"maintenance","Node":"n1","ServiceID":"","ServiceName":"","ServiceTags":[],` + noRun + `}}`},
	{name: "node_maint_off", request: "PUT /v1/agent/maintenance?enable=false"},
	{name: "node_maint_bad", request: "PUT /v1/agent/maintenance", status: 400, want: "Missing value for enable"},
	{name: "token", request: "PUT /v1/agent/token/default", body: `{"Token":"x"}`, status: 401, want: "ACL support disabled"},
	{name: "dereg", request: "PUT /v1/agent/service/deregister/web1"},
	{name: "dereg_again", request: "PUT /v1/agent/service/deregister/web1", status: 404, want: `Unknown service ID "web1". Ensure that the service ID is passed, not the service name.`},
	{name: "version", request: "GET /v1/agent/version", want: `{"SHA":"abc","BuildDate":"2026-01-02T03:04:05Z","HumanVersion":"1.19.2","FIPS":""}`},
}

// TestRegistrations wants what local is told to be what was asked for, with the
// token of the request.
func TestRegistrations(t *testing.T) {
	for name, tt := range map[string]struct{ request, body, want string }{
		"service": {
			"PUT /v1/agent/service/register", `{"Name":"web","Token":"not this"}`,
			`RegisterService web token=s3cret replace=false sidecar=false`,
		},
		"sidecar": {
			"PUT /v1/agent/service/register?replace-existing-checks", `{"Name":"web","Connect":{"SidecarService":{}}}`,
			`RegisterService web token=s3cret replace=true sidecar=true web-sidecar-proxy token=s3cret replace=true`,
		},
		"replace":     {"PUT /v1/agent/service/register?replace-existing-checks=true", `{"Name":"web"}`, `RegisterService web token=s3cret replace=true sidecar=false`},
		"not_replace": {"PUT /v1/agent/service/register?replace-existing-checks=false", `{"Name":"web"}`, `RegisterService web token=s3cret replace=false sidecar=false`},
		"check":       {"PUT /v1/agent/check/register", `{"Name":"c","TTL":"1s"}`, `RegisterCheck c token=s3cret run=true`},
		"maintenance": {"PUT /v1/agent/maintenance?enable=true", ``, `RegisterCheck _node_maintenance token=s3cret run=false`},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			method, target, _ := strings.Cut(tt.request, " ")
			if got := call(s.api(t), method, target, tt.body, "X-Consul-Token", "s3cret"); got.Code != http.StatusOK {
				t.Fatalf("%d %s", got.Code, got.Body)
			}
			if got := heard(s.local.heard[0]); got != tt.want {
				t.Errorf("local was told\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func heard(msg any) string {
	switch msg := msg.(type) {
	case *messages.RegisterService:
		text := fmt.Sprintf("RegisterService %s token=%s replace=%t sidecar=%t", msg.Service.Service, msg.Token, msg.ReplaceChecks, msg.Sidecar != nil)
		if s := msg.Sidecar; s != nil {
			text += fmt.Sprintf(" %s token=%s replace=%t", s.Service.Service, s.Token, s.ReplaceChecks)
		}
		return text
	case *messages.RegisterCheck:
		return fmt.Sprintf("RegisterCheck %s token=%s run=%t", msg.Check.CheckID, msg.Token, msg.Run != nil)
	default:
		return fmt.Sprintf("%T", msg)
	}
}

// TestHashWait waits for a service to change.
func TestHashWait(t *testing.T) {
	register := func(s *stage, port int) {
		s.local.services["web"] = &wire.NodeService{ID: "web", Service: "web", Port: port}
		s.local.publish()
	}
	hashOf := func(a http.Handler) string {
		return call(a, "GET", "/v1/agent/service/web", "").Header().Get("X-Consul-ContentHash")
	}
	for name, tt := range map[string]struct {
		wait   string
		does   func(*stage, *api)
		after  time.Duration
		status int
		port   int
	}{
		"until_it_changes":  {"", func(s *stage, _ *api) { register(s, 2) }, time.Second, 200, 2},
		"as_long_as_asked":  {"&wait=10s", nil, 10 * time.Second, 200, 1},
		"as_long_as_is_fit": {"", nil, 5 * time.Minute, 200, 1},
		"other_changes": {"&wait=10s", func(s *stage, _ *api) {
			s.local.services["db"] = &wire.NodeService{ID: "db", Service: "db"}
			s.local.publish()
		}, 10 * time.Second, 200, 1},
		"until_it_goes":    {"", func(s *stage, _ *api) { delete(s.local.services, "web"); s.local.publish() }, time.Second, 404, 0},
		"until_the_drain":  {"", func(_ *stage, a *api) { a.wake() }, time.Second, 200, 1},
		"with_an_old_hash": {"x", nil, 0, 200, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t)
				a := s.api(t)
				register(s, 1)
				answered := make(chan *httptest.ResponseRecorder, 1)
				begun := time.Now()
				go func() { answered <- call(a, "GET", "/v1/agent/service/web?hash="+hashOf(a)+tt.wait, "") }()
				time.Sleep(time.Second)
				if tt.does != nil {
					tt.does(s, a)
				}
				got := <-answered
				took := time.Since(begun)
				if took < tt.after || took > tt.after+tt.after/hashJitter+time.Second {
					t.Errorf("answered after %v, want %v", took, tt.after)
				}
				var shown consul.AgentService
				if err := json.Unmarshal(got.Body.Bytes(), &shown); got.Code != tt.status || tt.status == 200 && (err != nil || shown.Port != tt.port) {
					t.Errorf("%d %s, want %d and port %d", got.Code, got.Body, tt.status, tt.port)
				}
				if hash := got.Header().Get("X-Consul-ContentHash"); hash != shown.ContentHash {
					t.Errorf("the header has the hash %q, the body %q", hash, shown.ContentHash)
				}
			})
		})
	}
}

// TestOfficialServiceClient registers and reads with Consul's own client, whose tests
// know what the hash of a service has to be.
func TestOfficialServiceClient(t *testing.T) {
	s := newStage(t)
	c := official(t, s)
	agent := c.Agent()
	err := agent.ServiceRegister(&consul.AgentServiceRegistration{
		Name: "foo", Tags: []string{"bar", "baz"}, Port: 8000,
		Checks: consul.AgentServiceChecks{{TTL: "15s"}, {TTL: "30s"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	got, meta, err := agent.Service("foo", nil)
	if err != nil || got.ContentHash != "1d5d568c14309fa8" || meta.LastContentHash != got.ContentHash {
		t.Errorf("service %+v, %v, %v", got, meta, err)
	}
	if checks, err := agent.Checks(); err != nil || checks["service:foo:1"] == nil || checks["service:foo:2"].Status != consul.HealthCritical {
		t.Errorf("checks %v, %v", checks, err)
	}
	if err := agent.UpdateTTL("service:foo:1", "fine", consul.HealthPassing); err != nil {
		t.Error(err)
	}
	if status, info, err := agent.AgentHealthServiceByID("foo"); err != nil || status != consul.HealthCritical || len(info.Checks) != 2 {
		t.Errorf("health %s %+v, %v", status, info, err)
	}
	proxied := &consul.AgentServiceRegistration{
		Kind: consul.ServiceKindConnectProxy, Name: "p", Port: 1,
		Proxy: &consul.AgentServiceConnectProxyConfig{
			DestinationServiceName: "foo", Mode: consul.ProxyModeTransparent,
			TransparentProxy: &consul.TransparentProxyConfig{OutboundListenerPort: 808},
			Config:           map[string]any{"a": 1.5},
			Upstreams:        []consul.Upstream{{DestinationType: consul.UpstreamDestTypeService, DestinationName: "db", LocalBindPort: 9}},
		},
	}
	if err := agent.ServiceRegister(proxied); err != nil {
		t.Fatal(err)
	}
	all, err := agent.Services()
	if err != nil || all["p"] == nil || all["p"].Proxy.TransparentProxy.OutboundListenerPort != 808 || all["p"].Proxy.Config["a"] != 1.5 ||
		all["p"].Proxy.Upstreams[0].DestinationName != "db" || all["foo"].Proxy != nil {
		t.Errorf("services %+v, %v", all["p"], err)
	}
	if _, err := agent.ServicesWithFilter("foo in"); !isStatus(err, http.StatusInternalServerError) {
		t.Errorf("a bad filter: %v", err)
	}
}

// TestHealthCheckerAway wants a person to see that a part of the agent is not there.
func TestHealthCheckerAway(t *testing.T) {
	s := newStage(t)
	s.answers["health"] = func(ctx actor.Context) bool {
		ctx.Message().(messages.Refuser).Refuse(messages.ErrUnavailable)
		return true
	}
	if got := call(s.api(t), "PUT", "/v1/agent/check/pass/c", ""); got.Code != http.StatusServiceUnavailable || got.Header().Get("Retry-After") == "" {
		t.Errorf("%d %s", got.Code, got.Body)
	}
}

// TestHashWaitEndsWithTheClient leaves nobody behind.
func TestHashWaitEndsWithTheClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		a := s.api(t)
		s.local.services["web"] = &wire.NodeService{ID: "web", Service: "web"}
		s.local.publish()
		hash := call(a, "GET", "/v1/agent/service/web", "").Header().Get("X-Consul-ContentHash")
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			serveOne(a, httptest.NewRequest("GET", "/v1/agent/service/web?hash="+hash, nil).WithContext(ctx))
		}()
		synctest.Wait()
		cancel()
		<-done
	})
}
