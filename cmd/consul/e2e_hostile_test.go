package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/actor-consul/consul/cmd/consul/agenttest"
)

// TestHostileInput sends what nobody should to each port of one agent. It goes on
// to serve; to who is owed an answer it gives one; and it says one line in its log
// where somebody may want to know.
func TestHostileInput(t *testing.T) {
	t.Parallel()
	a := agenttest.Start(t, agenttest.Options{Name: "target", Args: agenttest.Bootstrap()})
	a.AwaitLeader()
	a.AwaitOutput(`Synced node info$`)

	const enormous = "\xdd\xff\xff\xff\xff" // msgpack: a list of four thousand million
	nested := strings.Repeat("\x91", 10_000)
	tests := []struct {
		name   string
		addr   string
		udp    bool
		send   string
		answer string // how the answer begins, as a regular expression; empty: there is none
		say    string // in the log, as a regular expression; empty: nothing
	}{
		{name: "rpc_http", addr: a.RPCAddr, send: "GET / HTTP/1.1\r\n\r\n", say: `\[WARN\] agent\.rpc: closed an RPC connection .*malformed`},
		{name: "rpc_enormous", addr: a.RPCAddr, send: enormous, say: `\[WARN\] agent\.rpc: closed an RPC connection .*message is too large: it announces 4294967295`},
		{name: "rpc_nested", addr: a.RPCAddr, send: nested, say: `\[WARN\] agent\.rpc: closed an RPC connection`},
		{name: "server_http", addr: a.ServerAddr, send: "GET / HTTP/1.1\r\n\r\n", say: `\[WARN\] consul\.rpc: closed a connection for something else than this server has`},
		{name: "server_enormous", addr: a.ServerAddr, send: "\x00" + enormous, say: `\[WARN\] consul\.rpc: closed a connection on which no request could be read`},
		{name: "server_nested", addr: a.ServerAddr, send: "\x00" + nested},
		{name: "server_multiplexed", addr: a.ServerAddr, send: "\x04" + enormous + nested, say: `\[WARN\] consul\.rpc: closed a multiplexed connection`},
		{name: "server_raft", addr: a.ServerAddr, send: "\x01\xdf" + enormous, say: `\[ERR\] raft\.transport: failed to decode incoming command .*unknown rpc type 223`},
		{name: "server_tls", addr: a.ServerAddr, send: "\x03\x16\x03\x01", say: `\[WARN\] consul\.rpc: closed a connection that wants TLS`},
		{name: "http_garbage", addr: a.HTTPAddr, send: "\x00\x01\x02\r\n\r\n", answer: `HTTP/1\.1 400 `},
		{name: "http_header", addr: a.HTTPAddr, send: "GET /" + strings.Repeat("a", 5<<18) + " HTTP/1.1\r\n\r\n", answer: `HTTP/1\.1 431 `},
		{name: "http_value", addr: a.HTTPAddr, send: request600k, answer: `HTTP/1\.1 413 (.*\r\n)*\r\nRequest body\(600000 bytes\) too large, max size: 524288 bytes\.`},
		{name: "http_body", addr: a.HTTPAddr, send: "PUT /v1/catalog/register HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n{", answer: `HTTP/1\.1 413 `},
		{name: "http_json", addr: a.HTTPAddr, send: "PUT /v1/catalog/register HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\n{{{{{{", answer: `HTTP/1\.1 400 (.*\r\n)*\r\nRequest decode failed: `},
		{name: "dns_short", addr: a.DNSAddr, udp: true, send: "\x12\x34"},
		{name: "dns_counts", addr: a.DNSAddr, udp: true, send: "\x12\x34\x01\x00" + strings.Repeat("\xff", 8), answer: `\x12\x34[\x80-\xff]\x01`},
		{name: "dns_loop", addr: a.DNSAddr, udp: true, send: "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\xc0\x0c\x00\x01\x00\x01", answer: `\x12\x34[\x80-\xff]\x01`},
		{name: "dns_tcp", addr: a.DNSAddr, send: "\xff\xff" + strings.Repeat("\xa5", 100)},
		{name: "gossip_garbage", addr: a.LANAddr, send: strings.Repeat("\xa5", 100), say: `\[ERR\] memberlist: Received invalid msgType \(165\)`},
		{name: "gossip_state", addr: a.LANAddr, send: "\x06" + enormous, say: `\[ERR\] memberlist: .*message is too large: the limit is \d+ bytes from=`},
		{name: "gossip_packet", addr: a.LANAddr, udp: true, send: strings.Repeat("\xa5", 100), say: `\[ERR\] memberlist: msg type \(165\) not supported`},
		{name: "gossip_wan", addr: a.WANAddr, send: strings.Repeat("\xa6", 100), say: `\[ERR\] memberlist: Received invalid msgType \(166\)`},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			from := fmt.Sprintf("127.0.1.%d", i+1) // each its own: the log names a stranger once a minute
			answer := exchange(t, from, tt.addr, tt.udp, tt.send, tt.answer != "")
			if !regexp.MustCompile(`(?s-m:^`+tt.answer+`)`).MatchString(latin1(answer)) || tt.answer == "" && answer != "" {
				t.Errorf("the answer is %q, want %s", answer, tt.answer)
			}
			if tt.say != "" {
				a.AwaitOutput(tt.say)
			}
			serves(t, a)
		})
	}
}

var request600k = "PUT /v1/kv/big HTTP/1.1\r\nHost: x\r\nContent-Length: 600000\r\n\r\n" + strings.Repeat("x", 600_000)

// exchange sends a text from one address to another and returns what comes back, over
// TCP until the other side closes. It may close before it has read everything.
func exchange(t *testing.T, from, addr string, udp bool, text string, reads bool) string {
	t.Helper()
	network, local := "tcp", net.Addr(&net.TCPAddr{IP: net.ParseIP(from)})
	if udp {
		network, local = "udp", &net.UDPAddr{IP: net.ParseIP(from)}
	}
	conn, err := (&net.Dialer{LocalAddr: local}).Dial(network, addr)
	check(t, err)
	defer conn.Close()
	check(t, conn.SetDeadline(time.Now().Add(agenttest.Patience)))
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return exchangePacket(t, conn, text, reads)
	}
	go func() {
		io.WriteString(tcp, text) //nolint:errcheck // see above
		tcp.CloseWrite()          //nolint:errcheck // see above
	}()
	var all bytes.Buffer
	_, err = io.Copy(&all, tcp)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the connection is still open after %v", agenttest.Patience)
	}
	return all.String()
}

func exchangePacket(t *testing.T, conn net.Conn, text string, reads bool) string {
	t.Helper()
	_, err := io.WriteString(conn, text)
	check(t, err)
	if !reads {
		return ""
	}
	packet := make([]byte, 64<<10)
	n, err := conn.Read(packet)
	check(t, err)
	return string(packet[:n])
}

// latin1 makes a character of each byte, for regular expressions about bytes.
func latin1(s string) string {
	runes := make([]rune, len(s))
	for i := range len(s) {
		runes[i] = rune(s[i])
	}
	return string(runes)
}

// serves shows that all front doors of an agent are open.
func serves(t *testing.T, a *agenttest.Agent) {
	t.Helper()
	if nodes, _, err := a.Client().Catalog().Nodes(nil); err != nil || len(nodes) != 1 {
		t.Errorf("over HTTP: %v, %v", nodes, err)
	}
	query := new(dns.Msg).SetQuestion(a.Name+".node.consul.", dns.TypeA)
	if answer, _, err := (&dns.Client{Timeout: agenttest.Patience}).Exchange(query, a.DNSAddr); err != nil || len(answer.Answer) != 1 {
		t.Errorf("over DNS: %v, %v", answer, err)
	}
	for _, addr := range []string{a.RPCAddr, a.ServerAddr} {
		conn, err := net.Dial("tcp", addr)
		check(t, err)
		conn.Close()
	}
	if a.Ended() {
		t.Fatal("the agent has ended")
	}
}
