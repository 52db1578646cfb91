package main

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/actor-consul/consul/actors/agentca/catest"
	"github.com/actor-consul/consul/cmd/consul/agenttest"
)

// tlsCluster is a cluster whose agents speak nothing but TLS to each other, and who
// insist on it that servers are servers.
type tlsCluster struct {
	*cluster
	dir    string
	caFile string // whom all of them trust
	certs  map[*agenttest.Agent]catest.Files
	https  string // of the client agent
	socket string // of the client agent
}

// TestClusterTLS takes three servers and a client through what comes to their ports,
// and through new certificates of another authority, while somebody writes.
func TestClusterTLS(t *testing.T) {
	t.Parallel()
	ours, theirs, next := catest.New(t, "ours"), catest.New(t, "theirs"), catest.New(t, "next")
	c := newTLSCluster(t, 101, ours)
	c.forms()
	c.answersTheCommandLine(ours)
	c.refusesAtThePort(ours, theirs)
	c.refusesServersThatAreNone(ours)
	c.keepsWhatIsGood(ours)
	c.rotates(ours, next)
}

func newTLSCluster(t *testing.T, first int, ca *catest.CA) *tlsCluster {
	t.Helper()
	dir, err := os.MkdirTemp("", "tls") //nolint:usetesting // short, for the socket
	check(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	c := &tlsCluster{
		cluster: &cluster{t: t, apis: map[*agenttest.Agent]*api.Client{}},
		dir:     dir, caFile: filepath.Join(dir, "ca.pem"), certs: map[*agenttest.Agent]catest.Files{},
	}
	catest.Copy(t, c.caFile, ca.File)
	var lan []string
	var all []agenttest.Options
	for i := range 3 {
		addr := loopback(first + i)
		ports := agenttest.Reserve(t, addr)
		all = append(all, agenttest.Options{Name: fmt.Sprintf("s%d", i+1), Addr: addr, Ports: ports})
		lan = append(lan, net.JoinHostPort(addr, fmt.Sprint(ports.SerfLAN)))
	}
	for _, o := range all {
		f := ca.Server()
		o.Args = append([]string{"-server", "-bootstrap-expect", "3", "-config-file", c.config(o.Name, f, true, nil)}, retryJoin(lan)...)
		a := agenttest.Launch(t, o)
		c.servers, c.certs[a] = append(c.servers, a), f
	}
	addr, f := loopback(first+3), ca.Client()
	port := agenttest.Reserve(t, addr).HTTP
	c.https, c.socket = fmt.Sprintf("https://%s:%d", addr, port), "unix://"+filepath.Join(dir, "http")
	more := map[string]any{
		"ports": map[string]any{"https": port}, "unix_sockets": map[string]any{"mode": "0600"},
		"addresses": map[string]any{"http": addr + " " + c.socket},
	}
	c.client = agenttest.Start(t, agenttest.Options{Name: "client", Addr: addr, Args: append([]string{"-config-file", c.config("client", f, true, more)}, retryJoin(lan)...)})
	c.certs[c.client] = f
	c.awaitLeader(c.servers...)
	return c
}

// config writes the configuration of an agent. Whoever is not strict trusts any name.
func (c *tlsCluster) config(name string, f catest.Files, strict bool, more map[string]any) string {
	all := map[string]any{"tls": map[string]any{
		"defaults": map[string]any{
			"ca_file": c.caFile, "cert_file": f.Cert, "key_file": f.Key,
			"verify_incoming": true, "verify_outgoing": true,
		},
		"internal_rpc": map[string]any{"verify_server_hostname": strict},
	}}
	for key, value := range more {
		all[key] = value
	}
	text, err := json.Marshal(all)
	check(c.t, err)
	path := filepath.Join(c.dir, name+".json")
	check(c.t, os.WriteFile(path, text, 0o600))
	return path
}

// answersTheCommandLine asks over HTTPS and over a unix socket.
func (c *tlsCluster) answersTheCommandLine(ca *catest.CA) {
	t := c.t
	f := ca.Client()
	listPeers := []string{"operator", "raft", "list-peers", "-http-addr"}
	for _, args := range [][]string{
		append(slices.Clone(listPeers), c.https, "-ca-file", c.caFile, "-client-cert", f.Cert, "-client-key", f.Key, "-tls-server-name", "localhost"),
		append(slices.Clone(listPeers), c.socket),
	} {
		if out, errs, status := c.client.Consul(args...); status != 0 || !strings.Contains(out, "s3 ") {
			t.Errorf("consul %q: exit status %d, %s%s", args, status, out, errs)
		}
	}
	if _, errs, status := c.client.Consul(append(slices.Clone(listPeers), c.https, "-ca-file", c.caFile)...); status == 0 {
		t.Errorf("without a certificate of its own the command succeeds: %s", errs)
	}
}

// refusesAtThePort comes to the port 8300 of the leader, each time from another
// address, twice. Each is closed, and said once with the address.
func (c *tlsCluster) refusesAtThePort(ours, theirs *catest.CA) {
	t := c.t
	leader := c.awaitLeader(c.servers...)
	const unsecured = "closed a connection that could not be secured"
	for i, tt := range []struct {
		name  string
		conf  *tls.Config // nil: without TLS
		first string
		say   string
	}{
		{"plain_rpc", nil, "\x00", "closed a connection without TLS: verify_incoming is set"},
		{"plain_raft", nil, "\x01", "closed a connection without TLS: verify_incoming is set"},
		{"garbage", nil, "\x03GET / HTTP/1.1\r\n\r\n", unsecured},
		{"no_certificate", ours.Config(catest.Files{}), "\x01", unsecured},
		{"other_authority", ours.Config(theirs.Server()), "\x01", unsecured},
		{"expired", ours.Config(ours.Expired()), "\x01", unsecured},
		{"raft_for_a_client", ours.Config(ours.Client()), "\x01", "closed a connection that wants raft from one that is no server"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			from := fmt.Sprintf("127.0.11.%d", i+1)
			for range 2 {
				intrude(t, from, leader.ServerAddr, tt.conf, tt.first)
			}
			line := regexp.QuoteMeta(tt.say) + `.*from=` + regexp.QuoteMeta(from) + `:\d+`
			leader.AwaitOutput(line)
			c.writeSome(c.client)
			if n := len(regexp.MustCompile(line).FindAllString(leader.Output(), -1)); n != 1 {
				t.Errorf("it is said %d times, want once", n)
			}
		})
	}
	if still := c.awaitLeader(c.servers...); still != leader {
		t.Errorf("%s leads now instead of %s", still.Name, leader.Name)
	}
}

// intrude opens a connection, says what it is for, and fails unless that is refused.
func intrude(t *testing.T, from, to string, conf *tls.Config, first string) {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: agenttest.Patience}
	nc, err := d.Dial("tcp", to)
	check(t, err)
	defer nc.Close()
	check(t, nc.SetDeadline(time.Now().Add(agenttest.Patience)))
	if conf != nil {
		_, err := nc.Write([]byte{3})
		check(t, err)
		secure := tls.Client(nc, conf)
		if secure.Handshake() != nil {
			return
		}
		nc = secure
	}
	if _, err := nc.Write([]byte(first)); err != nil {
		return
	}
	var timeout net.Error
	if _, err := nc.Read(make([]byte, 1)); err == nil || errors.As(err, &timeout) && timeout.Timeout() {
		t.Errorf("the connection goes on: %v", err)
	}
}

// refusesServersThatAreNone has a client's certificate run a server. One that is strict
// itself does not start; one that is not gets nothing out of the others.
func (c *tlsCluster) refusesServersThatAreNone(ca *catest.CA) {
	t := c.t
	f := ca.Client()
	addr := loopback(105)
	args := append([]string{"-server"}, retryJoin(c.addresses())...)
	honest := agenttest.Launch(t, agenttest.Options{Name: "s4", Addr: addr, Args: append(args, "-config-file", c.config("honest", f, true, nil))})
	if status := honest.Wait(); status != 1 || !strings.Contains(honest.Output(), "is not for server.dc1.consul but for client.dc1.consul") {
		t.Errorf("exit status %d: %s", status, honest.Output())
	}
	intruder := agenttest.Start(t, agenttest.Options{Name: "s5", Addr: addr, Args: append(args, "-config-file", c.config("intruder", f, false, nil))})
	c.awaitMember(intruder.Name, serfAlive, c.servers...)
	c.awaitLeader(c.servers...).AwaitOutput(`s5.* is not taken into this one yet: .*certificate`)
	c.writeSome(c.client)
	if pairs, _, err := c.api(intruder).KV().List("cluster/", &api.QueryOptions{AllowStale: true}); err == nil && len(pairs) > 0 {
		t.Errorf("it has %d keys", len(pairs))
	}
	c.awaitVoters(c.servers...)
	intruder.Kill()
	c.writeSome(c.client)
}

// keepsWhatIsGood reloads a certificate that has expired: the old one stays, and the log
// says so in one line.
func (c *tlsCluster) keepsWhatIsGood(ca *catest.CA) {
	t := c.t
	s := c.servers[0]
	f := c.certs[s]
	kept := catest.Files{Cert: filepath.Join(c.dir, "kept.pem"), Key: filepath.Join(c.dir, "kept-key.pem")}
	kept.Replace(t, f)
	f.Replace(t, ca.Expired())
	if _, errs, status := s.Consul("reload"); status != 1 || !strings.Contains(errs, f.Cert) || !strings.Contains(errs, "expired on") {
		t.Errorf("exit status %d: %s", status, errs)
	}
	s.AwaitOutput(`\[ERR\] agent: the configuration cannot be reloaded; the old one stays in force error=.*expired on`)
	if n := strings.Count(s.Output(), "expired on"); n != 1 {
		t.Errorf("it is said %d times, want once", n)
	}
	c.writeSome(s)
	f.Replace(t, kept)
	c.reload(s)
}

// rotates goes over to another authority, by way of trusting both, while somebody
// writes through the client agent. Nobody is restarted, and no write fails.
func (c *tlsCluster) rotates(old, next *catest.CA) {
	t := c.t
	everybody := append(slices.Clone(c.servers), c.client)
	end := c.write(c.client)
	catest.Copy(t, c.caFile, old.File, next.File)
	c.reload(everybody...)
	for _, a := range everybody {
		f := next.Server()
		if a == c.client {
			f = next.Client()
		}
		c.certs[a].Replace(t, f)
		c.reload(a)
	}
	catest.Copy(t, c.caFile, next.File)
	c.reload(everybody...)
	for _, s := range c.servers {
		c.writeSome(s)
	}
	c.tell("writes while the authority changes", end(), true)
	c.verify(c.servers...)

	for i, s := range c.servers {
		intrude(t, fmt.Sprintf("127.0.12.%d", i+1), s.ServerAddr, next.Config(old.Server()), "\x01")
		s.AwaitOutput(fmt.Sprintf(`could not be secured .*unknown authority.* from=127\.0\.12\.%d:`, i+1))
	}
	again := c.others(c.awaitLeader(c.servers...))[0] // all its connections are new
	again.Restart()
	c.awaitLeader(c.servers...)
	c.writeSome(again)
	c.verify(again)
}

// reload has agents read their files again, in each of the ways there are.
func (c *tlsCluster) reload(agents ...*agenttest.Agent) {
	c.t.Helper()
	for i, a := range agents {
		switch i % 3 {
		case 0:
			if _, errs, status := a.Consul("reload"); status != 0 {
				c.t.Errorf("%s: consul reload: %s", a.Name, errs)
			}
		case 1:
			check(c.t, c.api(a).Agent().Reload())
		default:
			before := strings.Count(a.Output(), "reloaded the configuration")
			a.Signal(syscall.SIGHUP)
			a.Await("reload", func() bool { return strings.Count(a.Output(), "reloaded the configuration") > before })
		}
	}
}
