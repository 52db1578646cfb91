package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/actor-consul/consul/cmd/consul/agenttest"
)

// stage is what a script in testdata has on stage: agents, by name.
type stage struct {
	t      testing.TB
	agents map[string]*agenttest.Agent
}

type stageKey struct{}

// setStage gives a script its stage. The agents on it are killed with the script.
func setStage(env *testscript.Env) error {
	s := &stage{t: env.T().(testing.TB), agents: map[string]*agenttest.Agent{}}
	env.Values[stageKey{}] = s
	env.Defer(func() {
		for _, a := range s.agents {
			a.Kill()
		}
	})
	return nil
}

// stageCommands are the commands for scripts that have to do with running agents.
// Where one asks or waits, it gives up after agenttest.Patience.
//
//	agent NAME [ARG...]     start an agent, which runs when the next line is read;
//	                        the second time, start it again as it was
//	await NAME REGEXP       wait until a line of its output matches
//	banner NAME FILE        compare its output up to the log with FILE
//	story NAME FILE         look for the lines of FILE, in this order, in its output
//	said NAME               let stdout look at its output
//	signal NAME INT|...     send it a signal
//	insist NAME INT|...     send it a signal again and again until it has ended
//	ended NAME STATUS       wait until it has ended, with this exit status
//	refused [ARG...]        try to start one: it exits with 1 and says why in one line
//	until REGEXP ARG...     run consul ARG... until it succeeds and its output matches
//	stream REGEXP ARG...    run consul ARG... until its output matches, then interrupt it
//	hang URL                leave a write unfinished until the script ends
//	get URL                 let stdout look at what is there
//	look REGEXP URL         get it until it matches
//	dig HOST:PORT NAME TYPE let stdout look at the answer of a DNS server
//	taken VAR [HOST:PORT]   take a port, over TCP and UDP, until the script ends
//
// The addresses of an agent are in $ADDR, $HTTP, $DNS, $RPC, $SERVER, $LAN and
// $WAN, those of the one started last; and in $NAME_HTTP and so on. Commands such
// as `consul members` speak to the one started last.
var stageCommands = map[string]func(*testscript.TestScript, bool, []string){
	"agent":   enterAgent,
	"await":   await,
	"banner":  compareBanner,
	"story":   compareStory,
	"said":    said,
	"signal":  sendSignal,
	"insist":  insist,
	"ended":   ended,
	"refused": refused,
	"until":   until,
	"stream":  stream,
	"hang":    hang,
	"get":     get,
	"look":    look,
	"dig":     dig,
	"taken":   taken,
}

func usage(ts *testscript.TestScript, wrong bool, text string) {
	if wrong {
		ts.Fatalf("usage: %s", text)
	}
}

// agentOn returns the agent that the script calls by this name.
func agentOn(ts *testscript.TestScript, name string) *agenttest.Agent {
	a := ts.Value(stageKey{}).(*stage).agents[name]
	if a == nil {
		ts.Fatalf("there is no agent %s", name)
	}
	return a
}

func enterAgent(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg || len(args) == 0, "agent NAME [ARG...]")
	s := ts.Value(stageKey{}).(*stage)
	a := s.agents[args[0]]
	if a != nil {
		a.Restart()
		return
	}
	o := agenttest.Options{Name: args[0], Args: args[1:]}
	if n := ts.Getenv("GOMAXPROCS"); n != "" {
		o.Env = append(o.Env, "GOMAXPROCS="+n)
	}
	a = agenttest.Start(s.t, o)
	s.agents[a.Name] = a
	for name, value := range map[string]string{
		"ADDR": a.Addr, "DATA": a.DataDir, "HTTP": a.HTTPAddr, "DNS": a.DNSAddr, "RPC": a.RPCAddr,
		"SERVER": a.ServerAddr, "LAN": a.LANAddr, "WAN": a.WANAddr, "SERVER_PORT": strconv.Itoa(a.Ports.Server),
	} {
		ts.Setenv(name, value)
		ts.Setenv(a.Name+"_"+name, value)
	}
	ts.Setenv("CONSUL_RPC_ADDR", a.RPCAddr)
	ts.Setenv("CONSUL_HTTP_ADDR", a.HTTPAddr)
}

func await(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg || len(args) != 2, "await NAME REGEXP")
	agentOn(ts, args[0]).AwaitOutput(args[1])
}

const endOfBanner = "==> Log data will now stream in as it occurs:\n\n"

func compareBanner(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg || len(args) != 2, "banner NAME FILE")
	agentOn(ts, args[0]).AwaitOutput(regexp.QuoteMeta(endOfBanner)) // the agent answers before it has said everything
	got, _, found := strings.Cut(agentOn(ts, args[0]).Output(), endOfBanner)
	if got += endOfBanner; !found {
		ts.Fatalf("no banner in:\n%s", got)
	}
	if want := expand(ts, args[1]); got != want {
		ts.Fatalf("the banner is\n%s\nwant\n%s", got, want)
	}
}

// expand returns the text of a file of the script, with its variables replaced.
func expand(ts *testscript.TestScript, file string) string {
	return os.Expand(ts.ReadFile(file), ts.Getenv)
}

func compareStory(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg || len(args) != 2, "story NAME FILE")
	rest := agentOn(ts, args[0]).Output()
	for line := range strings.Lines(expand(ts, args[1])) {
		at := strings.Index(rest, strings.TrimSuffix(line, "\n"))
		if at < 0 {
			ts.Fatalf("not said, or not in this place: %sin\n%s", line, agentOn(ts, args[0]).Output())
		}
		_, rest, _ = strings.Cut(rest[at:], "\n")
	}
}

func said(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg || len(args) != 1, "said NAME")
	fmt.Fprint(ts.Stdout(), agentOn(ts, args[0]).Output())
}

var signalsByName = map[string]os.Signal{
	"INT": os.Interrupt, "TERM": syscall.SIGTERM, "HUP": syscall.SIGHUP, "KILL": syscall.SIGKILL,
}

func sendSignal(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg || len(args) != 2 || signalsByName[args[1]] == nil, "signal NAME INT|TERM|HUP|KILL")
	agentOn(ts, args[0]).Signal(signalsByName[args[1]])
}

func insist(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg || len(args) != 2 || signalsByName[args[1]] == nil, "insist NAME INT|TERM|HUP|KILL")
	a := agentOn(ts, args[0])
	a.Await("end when told so again", func() bool {
		if a.Ended() {
			return true
		}
		a.Signal(signalsByName[args[1]])
		return false
	})
}

func ended(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg || len(args) != 2, "ended NAME STATUS")
	a := agentOn(ts, args[0])
	if got := strconv.Itoa(a.Wait()); got != args[1] {
		ts.Fatalf("%s exited with %s, want %s; it said:\n%s", args[0], got, args[1], a.Output())
	}
}

func refused(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, "refused [ARG...]")
	var stderr bytes.Buffer
	a := agenttest.Launch(ts.Value(stageKey{}).(*stage).t, agenttest.Options{
		Args:   args,
		Launch: func(cmd *exec.Cmd) { cmd.Stderr = &stderr },
	})
	status := a.Wait()
	fmt.Fprint(ts.Stdout(), a.Output())
	fmt.Fprint(ts.Stderr(), stderr.String())
	if n := strings.Count(stderr.String(), "\n"); status != 1 || n != 1 {
		ts.Fatalf("exited with %d after %d lines of errors, want 1 after one line:\n%s", status, n, stderr.String())
	}
}

func until(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg || len(args) < 2, "until REGEXP ARG...")
	re, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	poll(ts, "consul "+strings.Join(args[1:], " ")+" did not print "+args[0], func() bool {
		out, err := consulCommand(ts, args[1:]).Output()
		if err != nil || !re.Match(out) {
			return false
		}
		fmt.Fprintf(ts.Stdout(), "%s", out)
		return true
	})
}

// poll tries until it succeeds; the pause between two tries is in what is tried.
func poll(ts *testscript.TestScript, complaint string, try func() bool) {
	for deadline := time.Now().Add(agenttest.Patience); time.Now().Before(deadline); {
		if try() {
			return
		}
	}
	ts.Fatalf("%s within %v", complaint, agenttest.Patience)
}

func look(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg || len(args) != 2, "look REGEXP URL")
	re, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	poll(ts, args[1]+" did not show "+args[0], func() bool {
		_, body := fetch(ts, args[1])
		return re.Match(body)
	})
}

func stream(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg || len(args) < 2, "stream REGEXP ARG...")
	re, err := regexp.Compile(args[0])
	ts.Check(err)
	cmd := consulCommand(ts, args[1:])
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	late := time.AfterFunc(agenttest.Patience, func() { cmd.Process.Kill() }) //nolint:errcheck // Wait tells
	defer late.Stop()
	lines, found := bufio.NewScanner(out), false
	for lines.Scan() {
		fmt.Fprintln(ts.Stdout(), lines.Text())
		if !found && re.MatchString(lines.Text()) {
			found = true
			ts.Check(cmd.Process.Signal(os.Interrupt))
		}
	}
	if err := cmd.Wait(); err != nil || !found {
		ts.Fatalf("consul %s: %v; did it print %s: %t", strings.Join(args[1:], " "), err, args[0], found)
	}
}

// consulCommand returns a command that speaks to the agent started last.
func consulCommand(ts *testscript.TestScript, args []string) *exec.Cmd {
	cmd := exec.Command("consul", args...)
	cmd.Env = append(os.Environ(), "CONSUL_RPC_ADDR="+ts.Getenv("CONSUL_RPC_ADDR"), "CONSUL_HTTP_ADDR="+ts.Getenv("CONSUL_HTTP_ADDR"), "GORACE=atexit_sleep_ms=0")
	return cmd
}

func hang(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg || len(args) != 1, "hang URL")
	host, path, _ := strings.Cut(args[0], "/")
	conn, err := net.Dial("tcp", host)
	ts.Check(err)
	ts.Defer(func() { conn.Close() })
	_, err = fmt.Fprintf(conn, "PUT /%s HTTP/1.1\r\nHost: %s\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n", path, host)
	ts.Check(err)
	_, err = bufio.NewReader(conn).ReadString('\n') // who asks for the body has the request
	ts.Check(err)
}

func get(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg || len(args) != 1, "get URL")
	status, body := fetch(ts, args[0])
	if status != http.StatusOK {
		ts.Fatalf("%s: %d, %s", args[0], status, body)
	}
	fmt.Fprintf(ts.Stdout(), "%s", body)
}

func fetch(ts *testscript.TestScript, url string) (status int, body []byte) {
	resp, err := (&http.Client{Timeout: agenttest.Patience}).Get("http://" + url)
	ts.Check(err)
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	ts.Check(err)
	return resp.StatusCode, body
}

func dig(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg || len(args) != 3, "dig HOST:PORT NAME TYPE")
	query := new(dns.Msg).SetQuestion(dns.Fqdn(args[1]), dns.StringToType[args[2]])
	query.Id = 63911
	answer, _, err := (&dns.Client{Timeout: agenttest.Patience}).Exchange(query, args[0])
	ts.Check(err)
	fmt.Fprint(ts.Stdout(), answer)
}

func taken(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg || len(args) == 0, "taken VAR [HOST:PORT]")
	addr := "127.0.0.1:0"
	if len(args) > 1 {
		addr = args[1]
	}
	tcp, err := net.Listen("tcp", addr)
	ts.Check(err)
	ts.Defer(func() { tcp.Close() })
	udp, err := net.ListenPacket("udp", tcp.Addr().String())
	ts.Check(err)
	ts.Defer(func() { udp.Close() })
	ts.Setenv(args[0], strconv.Itoa(tcp.Addr().(*net.TCPAddr).Port))
}
