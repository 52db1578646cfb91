package health

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/actor-consul/consul/messages/wire"
)

// userAgent is what servers see that are asked by a check.
const userAgent = "Consul Health Check"

// httpRequest returns the probe that makes a request: it passes with a status of
// 2xx, warns with 429, and is critical with any other.
func httpRequest(cfg *Config, run *wire.CheckType, most int) probe {
	method := cmp.Or(run.Method, http.MethodGet)
	return func(ctx context.Context) result {
		transport := &http.Transport{
			Proxy:             http.ProxyFromEnvironment,
			DisableKeepAlives: true, // a connection that was closed meanwhile would fail a check
			TLSClientConfig:   tlsConfig(cfg, run),
			ForceAttemptHTTP2: true,
		}
		defer transport.CloseIdleConnections()
		client := &http.Client{Transport: transport}
		if run.DisableRedirects {
			client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		}
		req, err := http.NewRequestWithContext(ctx, method, run.HTTP, strings.NewReader(run.Body))
		if err != nil {
			return failing("%s", err)
		}
		for name, values := range run.Header {
			for _, v := range values {
				req.Header.Add(name, v)
			}
		}
		req.Host = cmp.Or(req.Header.Get("Host"), req.Host)
		for name, value := range map[string]string{"User-Agent": userAgent, "Accept": "text/plain, text/*, */*"} {
			if req.Header.Get(name) == "" {
				req.Header.Set(name, value)
			}
		}
		resp, err := client.Do(req)
		if err != nil {
			return failing("%s", err)
		}
		defer resp.Body.Close()
		out, _ := io.ReadAll(io.LimitReader(resp.Body, int64(most))) // what there is of it will do
		text := "HTTP " + method + " " + run.HTTP + ": " + resp.Status + " Output: " + string(out)
		return result{httpStatus(resp.StatusCode), text}
	}
}

func httpStatus(code int) string {
	switch {
	case code >= 200 && code <= 299:
		return wire.HealthPassing
	case code == http.StatusTooManyRequests:
		return wire.HealthWarning
	default:
		return wire.HealthCritical
	}
}

// tcpConnect returns the probe that passes when a connection comes about.
func tcpConnect(cfg *Config, run *wire.CheckType) probe {
	return func(ctx context.Context) result {
		kind := "TCP"
		dial := (&net.Dialer{}).DialContext
		if run.TCPUseTLS {
			kind = "TCP+TLS"
			dial = (&tls.Dialer{Config: tlsConfig(cfg, run)}).DialContext
		}
		conn, err := dial(ctx, "tcp", run.TCP)
		if err != nil {
			return failing("%s", err)
		}
		conn.Close()
		return passing("%s connect %s: Success", kind, run.TCP)
	}
}

// udpDatagram returns the probe that sends a datagram and passes unless it hears
// that nobody takes it: who does not answer may be well.
func udpDatagram(run *wire.CheckType) probe {
	return func(ctx context.Context) result {
		conn, err := (&net.Dialer{}).DialContext(ctx, "udp", run.UDP)
		if err != nil {
			return failing("%s", err)
		}
		defer conn.Close()
		if until, ok := ctx.Deadline(); ok {
			// A little before the time is up, which is the good end here.
			_ = conn.SetDeadline(until.Add(-time.Until(until) / 10))
		}
		defer context.AfterFunc(ctx, func() { conn.Close() })()
		if _, err := conn.Write(nil); err != nil {
			return failing("%s", err)
		}
		_, err = conn.Read(make([]byte, 1))
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return failing("%s", err)
		}
		return passing("UDP connect %s: Success", run.UDP)
	}
}
