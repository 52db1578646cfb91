package health

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/actor-consul/consul/messages/wire"
)

// tried is what comes of a probe within a time.
func tried(t *testing.T, run wire.CheckType, within time.Duration) result {
	t.Helper()
	run.Timeout, run.Interval = within, time.Second
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	return newProbe(&Config{OutputMaxSize: DefaultOutputMaxSize}, &run)(ctx)
}

const (
	enough = time.Minute
	soon   = 300 * time.Millisecond
)

func wants(t *testing.T, got result, status, output string) {
	t.Helper()
	if got.status != status || !strings.Contains(got.output, output) {
		t.Errorf("%s %q, want %s %q", got.status, got.output, status, output)
	}
}

func TestScriptProbe(t *testing.T) {
	for name, tt := range map[string]struct {
		script, status, output string
	}{
		"passes":        {"echo fine", "passing", "fine\n"},
		"warns":         {"echo hm; exit 1", "warning", "hm\n"},
		"warns_mutely":  {"exit 1", "warning", "exit status 1"},
		"fails":         {"echo no >&2; exit 2", "critical", "no\n"},
		"dies":          {"kill -9 $$", "critical", "signal: killed"},
		"reads_nothing": {"cat", "passing", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := tried(t, wire.CheckType{ScriptArgs: wire.ShellCommand("", tt.script)}, enough)
			if got != (result{tt.status, tt.output}) {
				t.Errorf("%+v, want %s %q", got, tt.status, tt.output)
			}
		})
	}
	wants(t, tried(t, wire.CheckType{ScriptArgs: []string{"/nowhere/at/all"}}, enough), "critical", "no such file")
}

// TestGigabyte has a program write more than anybody wants to keep.
func TestGigabyte(t *testing.T) {
	got := tried(t, wire.CheckType{ScriptArgs: wire.ShellCommand("", "head -c 268435456 /dev/zero | tr '\\0' x; echo end")}, enough)
	if len(got.output) > DefaultOutputMaxSize+100 {
		t.Errorf("%d bytes are kept", len(got.output))
	}
	wants(t, got, "passing", "Captured 4096 of 268435460 bytes\n...\nxxx")
	if !strings.HasSuffix(got.output, "xend\n") {
		t.Error("what is kept is not the end")
	}
	got = tried(t, wire.CheckType{ScriptArgs: wire.ShellCommand("", "yes"), OutputMaxSize: 10}, soon)
	wants(t, got, "critical", "Timed out (300ms) running check\n\nCaptured 10 of ")
}

func TestHTTPProbe(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/ok", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s %s %s %q", r.Method, r.Host, r.UserAgent(), r.Header.Get("Accept"), r.Header.Get("X-A"), body)
	})
	mux.HandleFunc("/busy", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) })
	mux.HandleFunc("/bad", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	mux.Handle("/moved", http.RedirectHandler("/ok", http.StatusFound))
	mux.HandleFunc("/hangs", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("/gigabyte", func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 1<<16)); err != nil {
				return
			}
		}
	})
	plain, secure := httptest.NewServer(mux), httptest.NewTLSServer(mux)
	defer plain.Close()
	defer secure.Close()
	for name, tt := range map[string]struct {
		run            wire.CheckType
		status, output string
	}{
		"passes":          {wire.CheckType{HTTP: plain.URL + "/ok"}, "passing", "HTTP GET " + plain.URL + `/ok: 200 OK Output: GET ` + strings.TrimPrefix(plain.URL, "http://") + ` Consul Health Check text/plain, text/*, */*  ""`},
		"says_what_it_is": {wire.CheckType{HTTP: plain.URL + "/ok", Method: "PUT", Body: "b", Header: map[string][]string{"X-A": {"1"}, "Host": {"web"}, "User-Agent": {"me"}}}, "passing", `PUT web me text/plain, text/*, */* 1 "b"`},
		"warns":           {wire.CheckType{HTTP: plain.URL + "/busy"}, "warning", "429 Too Many Requests"},
		"fails":           {wire.CheckType{HTTP: plain.URL + "/bad"}, "critical", "500 Internal Server Error"},
		"not_found":       {wire.CheckType{HTTP: plain.URL + "/nope"}, "critical", "404 Not Found"},
		"follows":         {wire.CheckType{HTTP: plain.URL + "/moved"}, "passing", "200 OK"},
		"does_not_follow": {wire.CheckType{HTTP: plain.URL + "/moved", DisableRedirects: true}, "critical", "302 Found"},
		"refused":         {wire.CheckType{HTTP: "http://127.0.0.1:1/"}, "critical", "connection refused"},
		"no_url":          {wire.CheckType{HTTP: "http://%zz"}, "critical", "invalid URL escape"},
		"bad_method":      {wire.CheckType{HTTP: plain.URL, Method: "a b"}, "critical", "invalid method"},
		"unknown_ca":      {wire.CheckType{HTTP: secure.URL + "/ok"}, "critical", "certificate"},
		"any_ca":          {wire.CheckType{HTTP: secure.URL + "/ok", TLSSkipVerify: true}, "passing", "200 OK"},
	} {
		t.Run(name, func(t *testing.T) { wants(t, tried(t, tt.run, enough), tt.status, tt.output) })
	}
	wants(t, tried(t, wire.CheckType{HTTP: plain.URL + "/hangs"}, soon), "critical", "deadline exceeded")
	if got := tried(t, wire.CheckType{HTTP: plain.URL + "/gigabyte"}, enough); got.status != "passing" || len(got.output) > DefaultOutputMaxSize+200 {
		t.Errorf("of an answer without end %s %d bytes", got.status, len(got.output))
	}
}

func TestTCPProbe(t *testing.T) {
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	defer secure.Close()
	addr := secure.Listener.Addr().String()
	wants(t, tried(t, wire.CheckType{TCP: addr}, enough), "passing", "TCP connect "+addr+": Success")
	wants(t, tried(t, wire.CheckType{TCP: addr, TCPUseTLS: true}, enough), "critical", "certificate")
	wants(t, tried(t, wire.CheckType{TCP: addr, TCPUseTLS: true, TLSSkipVerify: true}, enough), "passing", "TCP+TLS connect "+addr+": Success")
	wants(t, tried(t, wire.CheckType{TCP: "127.0.0.1:1"}, enough), "critical", "connection refused")
}

func TestUDPProbe(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	addr := conn.LocalAddr().String()
	wants(t, tried(t, wire.CheckType{UDP: addr}, soon), "passing", "UDP connect "+addr+": Success")
	wants(t, tried(t, wire.CheckType{UDP: "127.0.0.1:1"}, enough), "critical", "connection refused")
	go func() {
		b := make([]byte, 1)
		for {
			_, from, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			_, _ = conn.WriteTo([]byte("x"), from)
		}
	}()
	wants(t, tried(t, wire.CheckType{UDP: addr}, enough), "passing", "Success")
}

// h2Server serves HTTP/2 without TLS.
func h2Server(t *testing.T, h http.Handler) string {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Config.Protocols.SetHTTP1(true)
	s.Start()
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

func TestH2Probe(t *testing.T) {
	addr := h2Server(t, http.NotFoundHandler())
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.EnableHTTP2 = true
	secure.StartTLS()
	defer secure.Close()
	overTLS := secure.Listener.Addr().String()
	old := httptest.NewServer(http.NotFoundHandler())
	defer old.Close()
	wants(t, tried(t, wire.CheckType{H2PING: addr}, enough), "passing", "HTTP2 ping was successful")
	wants(t, tried(t, wire.CheckType{H2PING: overTLS, H2PingUseTLS: true, TLSSkipVerify: true}, enough), "passing", "HTTP2 ping was successful")
	wants(t, tried(t, wire.CheckType{H2PING: overTLS, H2PingUseTLS: true}, enough), "critical", "Failed to dial to "+overTLS)
	wants(t, tried(t, wire.CheckType{H2PING: old.Listener.Addr().String()}, enough), "critical", "HTTP2 ping failed: ")
	wants(t, tried(t, wire.CheckType{H2PING: "127.0.0.1:1"}, enough), "critical", "Failed to dial")
	wants(t, tried(t, wire.CheckType{H2PING: silent(t)}, soon), "critical", "HTTP2 ping failed: context deadline exceeded")
}

// silent takes connections and says nothing.
func silent(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			if _, err := l.Accept(); err != nil {
				return
			}
		}
	}()
	return l.Addr().String()
}

func TestGRPCProbe(t *testing.T) {
	addr := h2Server(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.URL.Path != "/grpc.health.v1.Health/Check" || r.Header.Get("Content-Type") != "application/grpc" || r.Header.Get("Te") != "trailers" || r.ProtoMajor != 2 {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		h := w.Header()
		h.Set("Content-Type", "application/grpc")
		service := ""
		if len(body) > 7 {
			service = string(body[7:])
		}
		answer := func(msg ...byte) {
			h.Set("Trailer", "Grpc-Status")
			_, _ = w.Write(append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(msg))), msg...))
			h.Set("Grpc-Status", "0")
		}
		switch service {
		case "":
			answer(8, 1)
		case "down":
			answer(8, 2)
		case "unsaid":
			answer()
		case "garbage":
			answer(0xff, 0xff)
		case "huge":
			answer(make([]byte, 1<<20)...)
		case "mute":
		default:
			h.Set("Grpc-Status", "5")
			h.Set("Grpc-Message", "unknown%20service")
		}
	}))
	for service, want := range map[string]result{
		"":         {"passing", "gRPC check " + addr + ": success"},
		"/":        {"passing", "gRPC check " + addr + "/: success"},
		"/down":    {"critical", "gRPC " + addr + "/down serving status: NOT_SERVING"},
		"/unsaid":  {"critical", "gRPC " + addr + "/unsaid serving status: UNKNOWN"},
		"/garbage": {"critical", errGRPCAnswer.Error()},
		"/huge":    {"critical", errGRPCAnswer.Error()},
		"/mute":    {"critical", errGRPCAnswer.Error()},
		"/nope":    {"critical", "rpc error: code = 5 desc = unknown service"},
	} {
		t.Run("service"+strings.ReplaceAll(service, "/", "_"), func(t *testing.T) {
			if got := tried(t, wire.CheckType{GRPC: addr + service}, enough); got != want {
				t.Errorf("%+v, want %+v", got, want)
			}
		})
	}
	wants(t, tried(t, wire.CheckType{GRPC: "127.0.0.1:1"}, enough), "critical", "connection refused")
	wants(t, tried(t, wire.CheckType{GRPC: silent(t)}, soon), "critical", "deadline exceeded")
	wants(t, tried(t, wire.CheckType{GRPC: h2Server(t, http.NotFoundHandler())}, enough), "critical", "404 Not Found")
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.EnableHTTP2 = true
	secure.StartTLS()
	defer secure.Close()
	wants(t, tried(t, wire.CheckType{GRPC: secure.Listener.Addr().String(), GRPCUseTLS: true}, enough), "critical", "certificate")
	wants(t, tried(t, wire.CheckType{GRPC: secure.Listener.Addr().String(), GRPCUseTLS: true, TLSSkipVerify: true}, enough), "critical", "404 Not Found")
}

// engine plays Docker on a unix socket. Containers are named after what becomes of
// a command in them.
func engine(t *testing.T) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /containers/{id}/exec", func(w http.ResponseWriter, r *http.Request) {
		var cmd struct {
			AttachStdout, AttachStderr bool
			Cmd                        []string
		}
		if err := json.NewDecoder(r.Body).Decode(&cmd); err != nil || !cmd.AttachStdout || !cmd.AttachStderr || strings.Join(cmd.Cmd, " ") != "check it" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		switch id := r.PathValue("id"); id {
		case "gone":
			w.WriteHeader(http.StatusNotFound)
		case "paused":
			w.WriteHeader(http.StatusConflict)
		default:
			w.WriteHeader(http.StatusCreated)
			fmt.Fprintf(w, `{"Id":"exec-%s"}`, id)
		}
	})
	mux.HandleFunc("POST /exec/{id}/start", func(w http.ResponseWriter, r *http.Request) {
		if r.PathValue("id") == "exec-broken" {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		fmt.Fprintf(w, "%s%s", strings.Repeat("x", 5000), r.PathValue("id"))
	})
	mux.HandleFunc("GET /exec/{id}/json", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"ExitCode":%s,"Rest":%q}`, strings.TrimPrefix(r.PathValue("id"), "exec-"), strings.Repeat("x", 8000))
	})
	socket := filepath.Join(t.TempDir(), "docker.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	s := &httptest.Server{Listener: l, Config: &http.Server{Handler: mux}}
	s.Start()
	t.Cleanup(s.Close)
	return "unix://" + socket
}

func TestDockerProbe(t *testing.T) {
	host := engine(t)
	for container, want := range map[string]struct{ status, output string }{
		"0":      {"passing", "Captured 100 of 5006 bytes"},
		"1":      {"warning", "xexec-1"},
		"2":      {"critical", "xexec-2"},
		"gone":   {"critical", "create exec failed for unknown container gone"},
		"paused": {"critical", "create exec failed since container paused is paused or stopped"},
		"broken": {"critical", "start exec failed for container broken with status 500"},
		"odd":    {"critical", "inspect exec response for container odd cannot be parsed"},
	} {
		t.Run(container, func(t *testing.T) {
			run := &wire.CheckType{DockerContainerID: container, ScriptArgs: []string{"check", "it"}, Interval: time.Second, OutputMaxSize: 100}
			got := newProbe(&Config{OutputMaxSize: DefaultOutputMaxSize, DockerHost: host}, run)(t.Context())
			wants(t, got, want.status, want.output)
		})
	}
	for host, want := range map[string]string{
		"unix:///nowhere/docker.sock": "no such file",
		"nonsense":                    "unable to parse docker host `nonsense`",
		"ftp://x":                     "is neither unix:// nor tcp://",
	} {
		run := &wire.CheckType{DockerContainerID: "c", ScriptArgs: []string{"x"}, Interval: time.Second}
		wants(t, newProbe(&Config{DockerHost: host}, run)(t.Context()), "critical", want)
	}
}

func TestOSServiceProbe(t *testing.T) {
	dir := t.TempDir()
	systemctl := "#!/bin/sh\n[ \"$1 $2\" = 'is-active --' ] || exit 9\ncase $3 in good) echo active;; odd) echo activating; exit 3;; bad) echo failed; exit 3;; slow) sleep 1000;; esac\n"
	if err := os.WriteFile(filepath.Join(dir, "systemctl"), []byte(systemctl), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	wants(t, tried(t, wire.CheckType{OSService: "good"}, enough), "passing", `Service "good" is healthy`)
	wants(t, tried(t, wire.CheckType{OSService: "odd"}, enough), "warning", "service status: activating")
	wants(t, tried(t, wire.CheckType{OSService: "bad"}, enough), "critical", "service status: failed - OS Service unhealthy")
	wants(t, tried(t, wire.CheckType{OSService: "slow"}, soon), "critical", "Timed out")
	t.Setenv("PATH", t.TempDir())
	wants(t, tried(t, wire.CheckType{OSService: "good"}, enough), "critical", "not known")
}

func TestNoProbe(t *testing.T) {
	wants(t, tried(t, wire.CheckType{}, enough), "critical", "Check type is not valid")
}
