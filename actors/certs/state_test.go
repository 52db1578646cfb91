package certs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/actor-consul/consul/actors/agentca"
	"github.com/actor-consul/consul/actors/agentca/catest"
	"github.com/actor-consul/consul/messages"
)

const ownServer = "server.dc1.consul"

// judged reads and judges files as an actor of a server of dc1 does.
func judged(t *testing.T, rpc, https messages.TLSSection) (*set, []string, error) {
	t.Helper()
	m, err := read(rpc)
	if err != nil {
		return nil, nil, err
	}
	web, err := read(https)
	if err != nil {
		return nil, nil, err
	}
	return judge(m, web, rules{server: true, serverName: ownServer}, time.Now())
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file.pem")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestRefuses names the file and the reason of whatever cannot be used.
func TestRefuses(t *testing.T) {
	ca := catest.New(t, "ours")
	server, client, expired := ca.Server(), ca.Client(), ca.Expired()
	early := ca.Issue(agentca.Request{Role: agentca.Server, Datacenter: "dc1", NotBefore: time.Now().AddDate(0, 0, 1)})
	nonsense, broken := write(t, "nonsense"), write(t, "-----BEGIN CERTIFICATE-----\nbm9uc2Vuc2U=\n-----END CERTIFICATE-----\n")
	large := write(t, strings.Repeat("x", maxFile+1))
	tests := map[string]struct {
		section messages.TLSSection
		want    []string // of the error
	}{
		"no_such_authority": {messages.TLSSection{CAFile: "/nowhere.pem"}, []string{"ca_file", "/nowhere.pem", "no such file"}},
		"no_such_directory": {messages.TLSSection{CAPath: "/nowhere"}, []string{"ca_path", "/nowhere", "no such file"}},
		"no_such_cert":      {messages.TLSSection{CertFile: "/nowhere.pem", KeyFile: server.Key}, []string{"cert_file", "/nowhere.pem"}},
		"no_such_key":       {messages.TLSSection{CertFile: server.Cert, KeyFile: "/nowhere.pem"}, []string{"key_file", "/nowhere.pem"}},
		"large":             {messages.TLSSection{CAFile: large}, []string{large, "larger than"}},
		"no_authorities":    {messages.TLSSection{CAFile: nonsense}, []string{"ca_file " + nonsense, "no certificate in PEM"}},
		"empty_directory":   {messages.TLSSection{CAPath: t.TempDir()}, []string{"ca_path", "no certificate in PEM"}},
		"broken_authority":  {messages.TLSSection{CAFile: broken}, []string{broken, "cannot be read"}},
		"key_is_missing":    {messages.TLSSection{CertFile: server.Cert}, []string{server.Cert, "without key_file"}},
		"cert_is_missing":   {messages.TLSSection{KeyFile: server.Key}, []string{server.Key, "without cert_file"}},
		"swapped":           {messages.TLSSection{CertFile: server.Key, KeyFile: server.Cert}, []string{"cert_file " + server.Key, "no certificate in PEM"}},
		"nonsense_key":      {messages.TLSSection{CertFile: server.Cert, KeyFile: nonsense}, []string{"key_file " + nonsense, "no private key"}},
		"key_of_another":    {messages.TLSSection{CertFile: server.Cert, KeyFile: client.Key}, []string{client.Key, "is not the key of the certificate", server.Cert}},
		"expired":           {messages.TLSSection{CertFile: expired.Cert, KeyFile: expired.Key}, []string{expired.Cert, "expired on"}},
		"not_yet":           {messages.TLSSection{CertFile: early.Cert, KeyFile: early.Key}, []string{early.Cert, "not valid before", "the clock of this machine"}},
		"incoming_no_ca":    {messages.TLSSection{CertFile: server.Cert, KeyFile: server.Key, VerifyIncoming: true}, []string{"verify_incoming is set, but neither ca_file nor ca_path"}},
		"incoming_no_cert":  {messages.TLSSection{CAFile: ca.File, VerifyIncoming: true}, []string{"verify_incoming is set, but not cert_file"}},
		"outgoing_no_ca":    {messages.TLSSection{VerifyOutgoing: true}, []string{"verify_outgoing is set, but neither ca_file"}},
		"hostname_no_ca":    {messages.TLSSection{VerifyServerHostname: true}, []string{"verify_server_hostname is set, but neither ca_file"}},
		"hostname_no_cert":  {messages.TLSSection{CAFile: ca.File, VerifyServerHostname: true}, []string{"verify_server_hostname is set, but not cert_file"}},
		"server_as_client": {
			messages.TLSSection{CAFile: ca.File, CertFile: client.Cert, KeyFile: client.Key, VerifyServerHostname: true},
			[]string{client.Cert, "is not for " + ownServer + " but for client.dc1.consul"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, _, err := judged(t, tt.section, messages.TLSSection{})
			if err == nil {
				t.Fatal("it is taken")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("err = %v, want %q in it", err, want)
				}
			}
		})
	}
}

// TestTakes shows what comes of files that can be used, and what is odd about them.
func TestTakes(t *testing.T) {
	ca, other := catest.New(t, "ours"), catest.New(t, "theirs")
	server, stranger := ca.Server(), other.Server()
	dir := t.TempDir()
	catest.Copy(t, filepath.Join(dir, "bundle.pem"), ca.File, other.File)
	catest.Copy(t, filepath.Join(dir, "readme"), write(t, "no certificate"))
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	full := messages.TLSSection{CAFile: ca.File, CertFile: server.Cert, KeyFile: server.Key, VerifyIncoming: true, VerifyServerHostname: true}
	own := messages.TLSSection{CAFile: ca.File, CertFile: stranger.Cert, KeyFile: stranger.Key}
	tests := map[string]struct {
		rpc, https   messages.TLSSection
		in, out, web bool
		dated        int
		odd          string
	}{
		"nothing":      {},
		"authority":    {rpc: messages.TLSSection{CAFile: ca.File, VerifyOutgoing: true}, out: true, dated: 1},
		"full":         {rpc: full, https: full, in: true, out: true, web: true, dated: 2},
		"https_alone":  {https: messages.TLSSection{CertFile: server.Cert, KeyFile: server.Key}, web: true, dated: 1},
		"directory":    {rpc: messages.TLSSection{CAPath: dir, VerifyOutgoing: true}, out: true, dated: 2},
		"not_our_own":  {rpc: own, in: true, dated: 2, odd: "is not signed by an authority that this agent itself trusts"},
		"file_and_dir": {rpc: messages.TLSSection{CAFile: ca.File, CAPath: dir}, dated: 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s, odd, err := judged(t, tt.rpc, tt.https)
			if err != nil {
				t.Fatal(err)
			}
			if (s.incoming != nil) != tt.in || (s.outgoing != nil) != tt.out || (s.web != nil) != tt.web || len(s.dated) != tt.dated {
				t.Errorf("incoming %v, outgoing %v, web %v, %d certificates", s.incoming, s.outgoing, s.web, len(s.dated))
			}
			if (tt.odd == "") != (len(odd) == 0) || !strings.Contains(strings.Join(odd, "\n"), tt.odd) {
				t.Errorf("odd is %q, want %q", odd, tt.odd)
			}
		})
	}
}

// TestFingerprint tells a file that is the same from one that is not.
func TestFingerprint(t *testing.T) {
	ca := catest.New(t, "ours")
	f := ca.Server()
	section := messages.TLSSection{CAFile: ca.File, CertFile: f.Cert, KeyFile: f.Key}
	look := func() [32]byte {
		s, _, err := judged(t, section, messages.TLSSection{})
		if err != nil {
			t.Fatal(err)
		}
		return s.print
	}
	before := look()
	if look() != before {
		t.Error("it differs although nothing has changed")
	}
	f.Replace(t, ca.Server())
	if look() == before {
		t.Error("it is the same although the certificate is another")
	}
}

// TestDue tells of the end of a certificate in good time, once a day, and when it has
// come.
func TestDue(t *testing.T) {
	ca := catest.New(t, "ours")
	long, short := ca.Server(), ca.Issue(agentca.Request{Role: agentca.Client, Datacenter: "dc1", NotAfter: time.Now().Add(72 * time.Hour)})
	date := func(f catest.Files) dated {
		m, err := read(messages.TLSSection{CertFile: f.Cert, KeyFile: f.Key})
		if err != nil {
			t.Fatal(err)
		}
		pair, err := readPair(m)
		if err != nil {
			t.Fatal(err)
		}
		return dateOf(pair.Leaf, f.Cert, true)
	}
	tests := map[string]struct {
		dated
		before []time.Duration // before its end
		want   string          // w: warned, o: over, -: nothing
	}{
		"a_year": {date(long), []time.Duration{31 * 24 * time.Hour, 29 * 24 * time.Hour, 28*24*time.Hour + time.Hour, 28 * 24 * time.Hour, time.Minute, -time.Minute, -time.Hour, -25 * time.Hour}, "-w-wwo-o"},
		"3_days": {date(short), []time.Duration{71 * time.Hour, 25 * time.Hour, 23 * time.Hour, time.Hour, -time.Hour}, "--w-o"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			told, got := told{}, ""
			for _, d := range tt.before {
				notices := told.due([]dated{tt.dated}, tt.until.Add(-d))
				switch {
				case len(notices) == 0:
					got += "-"
				case notices[0].over:
					got += "o"
				default:
					got += "w"
				}
			}
			if got != tt.want {
				t.Errorf("told %s, want %s", got, tt.want)
			}
			if told.due(nil, tt.until); len(told) != 0 {
				t.Errorf("remembers %v of certificates that are gone", told)
			}
		})
	}
}
