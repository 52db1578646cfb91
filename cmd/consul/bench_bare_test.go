package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// bareEnv tells the test binary to be a bare server.
const bareEnv = "CONSUL_BENCH_BARE"

// bareAnswer is all that a bare server has to say.
type bareAnswer struct {
	DNS    []byte // a packet; or
	Header http.Header
	Body   []byte
}

// TestBareServer is no test: it is the process against which TestBench measures.
// It answers everybody with the same bytes, through the same library as the agent.
func TestBareServer(t *testing.T) {
	told := os.Getenv(bareEnv)
	if told == "" {
		return
	}
	var answer bareAnswer
	if err := json.Unmarshal([]byte(told), &answer); err != nil {
		t.Fatal(err)
	}
	var at net.Addr
	if answer.DNS != nil {
		conn, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		at = conn.LocalAddr()
		go (&dns.Server{PacketConn: conn, Handler: answer, UDPSize: 4096}).ActivateAndServe() //nolint:errcheck // it ends with the process
	} else {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		at = l.Addr()
		go http.Serve(l, answer) //nolint:errcheck // it ends with the process
	}
	fmt.Println(at)
	io.Copy(io.Discard, os.Stdin) //nolint:errcheck // the end of the parent is the end
	os.Exit(0)
}

// ServeDNS implements dns.Handler.
func (b bareAnswer) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	packet := append([]byte(nil), b.DNS...)
	packet[0], packet[1] = byte(q.Id>>8), byte(q.Id)
	w.Write(packet) //nolint:errcheck // the client has gone
}

// ServeHTTP implements http.Handler.
func (b bareAnswer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body) //nolint:errcheck // the same
	h := w.Header()
	for name, values := range b.Header {
		h[name] = values
	}
	h.Set("Content-Length", strconv.Itoa(len(b.Body)))
	w.Write(b.Body) //nolint:errcheck // the same
}

// startBare starts a bare server in a process of its own.
func startBare(t *testing.T, answer bareAnswer) (addr string, pid int) {
	t.Helper()
	text, err := json.Marshal(answer)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^TestBareServer$")
	cmd.Env = append(os.Environ(), bareEnv+"="+string(text))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		cmd.Wait() //nolint:errcheck // it was told to end
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the bare server did not start: %v", err)
	}
	return strings.TrimSpace(line), cmd.Process.Pid
}

// answerOf asks for what a bare server is to answer with.
func answerOf(t *testing.T, url string) bareAnswer {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Transport{DisableCompression: true}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %v", url, resp.Status, err)
	}
	resp.Header.Del("Date") // net/http has its own
	return bareAnswer{Header: resp.Header, Body: body}
}
