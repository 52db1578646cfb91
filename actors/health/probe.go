package health

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"io"

	"github.com/actor-consul/consul/messages/wire"
)

// A probe tries once. It may take as long as its context lasts, and comes to an end
// soon after.
type probe func(context.Context) result

// newProbe returns the probe of a check that repeats.
func newProbe(cfg *Config, run *wire.CheckType) probe {
	most := outputMax(cfg, run)
	switch run.Type() {
	case "script":
		return script(run.ScriptArgs, most, timeout(run))
	case "http":
		return httpRequest(cfg, run, most)
	case "tcp":
		return tcpConnect(cfg, run)
	case "udp":
		return udpDatagram(run)
	case "grpc":
		return grpcHealth(cfg, run)
	case "h2ping":
		return h2Ping(cfg, run)
	case "docker":
		return dockerExec(cfg.DockerHost, run, most)
	case "os_service":
		return osService(run.OSService, timeout(run))
	default:
		return func(context.Context) result {
			return result{wire.HealthCritical, "Check type is not valid"}
		}
	}
}

func passing(format string, args ...any) result {
	return result{wire.HealthPassing, fmt.Sprintf(format, args...)}
}

func failing(format string, args ...any) result {
	return result{wire.HealthCritical, fmt.Sprintf(format, args...)}
}

// tlsConfig returns how a check speaks TLS, once: certificates may be other ones the
// next time.
func tlsConfig(cfg *Config, run *wire.CheckType, protocols ...string) *tls.Config {
	c, name := &tls.Config{MinVersion: tls.VersionTLS12}, ""
	if cfg.TLS != nil {
		c, name = cfg.TLS().Clone(), cfg.NodeName
	}
	c.ServerName = cmp.Or(run.TLSServerName, name)
	c.InsecureSkipVerify = run.TLSSkipVerify //nolint:gosec // the check says so
	c.NextProtos = protocols
	return c
}

// tail keeps the last bytes that are written to it, and counts them all. So much as
// a gigabyte passes through without being kept.
type tail struct {
	most  int
	kept  []byte
	total int64
}

var _ io.Writer = (*tail)(nil)

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	n := len(p)
	t.total += int64(n)
	p = p[max(0, n-t.most):]
	if over := len(t.kept) + len(p) - t.most; over > 0 {
		t.kept = t.kept[:copy(t.kept, t.kept[over:])]
	}
	t.kept = append(t.kept, p...)
	return n, nil
}

// String returns what was kept, and says so when it is not all.
func (t *tail) String() string {
	if t.total > int64(len(t.kept)) {
		return fmt.Sprintf("Captured %d of %d bytes\n...\n%s", len(t.kept), t.total, t.kept)
	}
	return string(t.kept)
}
