package main

import (
	"bufio"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hashicorp/cli"
)

func newTestHTTPCommand(args ...string) (*httpCommand, bool) {
	c := newHTTPCommand(cli.NewMockUi(), words{name: "test"})
	c.datacenterFlag()
	c.staleFlag()
	_, ok := c.parse(args, 0, 0)
	return &c, ok
}

func TestHTTPConfig(t *testing.T) {
	tests := []struct {
		name           string
		env            map[string]string
		args           []string
		addr, token    string
		file, dc, cert string
	}{
		{name: "defaults", addr: "127.0.0.1:8500"},
		{name: "environment", env: map[string]string{"CONSUL_HTTP_ADDR": "10.0.0.1:1", "CONSUL_HTTP_TOKEN": "t", "CONSUL_CLIENT_CERT": "c"},
			addr: "10.0.0.1:1", token: "t", cert: "c"},
		{name: "flags_go_before", env: map[string]string{"CONSUL_HTTP_ADDR": "10.0.0.1:1", "CONSUL_HTTP_TOKEN": "t", "CONSUL_CLIENT_CERT": "c"},
			args: []string{"-http-addr=https://x", "-token=u", "-client-cert=d", "-datacenter=dc2"}, addr: "https://x", token: "u", cert: "d", dc: "dc2"},
		{name: "a_token_goes_before_the_environments_file", env: map[string]string{"CONSUL_HTTP_TOKEN_FILE": "/f"}, args: []string{"-token=u"},
			addr: "127.0.0.1:8500", token: "u"},
		{name: "a_file_of_a_token", args: []string{"-token-file=/g"}, addr: "127.0.0.1:8500", file: "/g"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, name := range []string{"CONSUL_HTTP_ADDR", "CONSUL_HTTP_TOKEN", "CONSUL_HTTP_TOKEN_FILE", "CONSUL_CLIENT_CERT"} {
				t.Setenv(name, tt.env[name])
			}
			c, ok := newTestHTTPCommand(tt.args...)
			cfg := c.http.config()
			if !ok || cfg.Address != tt.addr || cfg.Token != tt.token || cfg.TokenFile != tt.file || cfg.Datacenter != tt.dc || cfg.TLSConfig.CertFile != tt.cert {
				t.Errorf("config = %+v", cfg)
			}
		})
	}
}

func TestHTTPExplain(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // speaks something else
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	go func() {
		for {
			conn, err := silent.Accept()
			if err != nil {
				return
			}
			http.ReadRequest(bufio.NewReader(conn)) //nolint:errcheck // whatever it is
			conn.Write([]byte("SSH-2.0\r\n\r\n"))   //nolint:errcheck // the client will see
			conn.Close()
		}
	}()
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	tests := []struct{ name, addr, want string }{
		{name: "nobody", addr: "127.0.0.1:1", want: "nothing listens at 127.0.0.1:1: is the agent running there?; for another address use -http-addr or CONSUL_HTTP_ADDR"},
		{name: "no_socket", addr: "unix:///no/such/socket", want: "nothing listens at unix:///no/such/socket"},
		{name: "no_host", addr: "no.such.host.invalid:1", want: `no such host in "no.such.host.invalid:1"`},
		{name: "no_http", addr: silent.Addr().String(), want: silent.Addr().String() + " does not speak HTTP"},
		{name: "no_https", addr: strings.Replace(plain.URL, "http:", "https:", 1), want: "speaks HTTP and no HTTPS"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, _ := newTestHTTPCommand("-http-addr=" + tt.addr)
			agent, ok := c.client()
			if !ok {
				t.Fatal("no client")
			}
			_, err := agent.Status().Leader()
			if err == nil {
				t.Fatal("somebody answered")
			}
			if got := c.http.explain(err).Error(); !strings.Contains(got, tt.want) {
				t.Errorf("explain(%v) = %s, want %s", err, got, tt.want)
			}
		})
	}
	c, _ := newTestHTTPCommand()
	other := errors.New("other")
	if got := c.http.explain(other); got != other { //nolint:errorlint // it is that very value
		t.Errorf("explain(%v) = %v", other, got)
	}
}

func TestRPCFlag(t *testing.T) {
	ui := cli.NewMockUi()
	if status := newSnapshotSaveCommand(ui).Run([]string{"-rpc-addr=127.0.0.1:8400", "x"}); status != 1 {
		t.Errorf("Run() = %d, want 1", status)
	}
	want := "consul snapshot save: no flag -rpc-addr: it is for the agent's RPC (CONSUL_RPC_ADDR), and this command speaks HTTP;" +
		" give its address with -http-addr or CONSUL_HTTP_ADDR\n"
	if got := ui.ErrorWriter.String(); !strings.HasPrefix(got, want) {
		t.Errorf("the user was told\n%s\nwant\n%s", got, want)
	}
}
