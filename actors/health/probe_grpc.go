package health

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/actor-consul/consul/messages/wire"
)

// grpcHealth returns the probe that asks a server by gRPC's own protocol how it, or
// a service of it, is. It passes when that is SERVING:
// https://github.com/grpc/grpc/blob/master/doc/health-checking.md.
//
// One call with one message each way is an HTTP/2 request with a body of five bytes
// and two fields, so it takes no gRPC library.
func grpcHealth(cfg *Config, run *wire.CheckType) probe {
	server, service, _ := strings.Cut(run.GRPC, "/")
	scheme, protocols := "http", new(http.Protocols)
	if run.GRPCUseTLS {
		scheme = "https"
		protocols.SetHTTP2(true)
	} else {
		protocols.SetUnencryptedHTTP2(true)
	}
	target := url.URL{Scheme: scheme, Host: server, Path: "/grpc.health.v1.Health/Check"}
	return func(ctx context.Context) result {
		transport := &http.Transport{Protocols: protocols, TLSClientConfig: tlsConfig(cfg, run, "h2")}
		defer transport.CloseIdleConnections()
		status, err := askHealth(ctx, transport, target.String(), service)
		switch {
		case err != nil:
			return failing("%s", err)
		case status != servingStatus:
			return failing("gRPC %s serving status: %s", run.GRPC, statusName(status))
		default:
			return passing("gRPC check %s: success", run.GRPC)
		}
	}
}

// The statuses of grpc.health.v1.HealthCheckResponse.
const servingStatus = 1

func statusName(status uint64) string {
	names := []string{"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"}
	if status < uint64(len(names)) {
		return names[status]
	}
	return strconv.FormatUint(status, 10)
}

// The limits of an answer, which has a few bytes.
const grpcMaxAnswer = 4096

var errGRPCAnswer = errors.New("the server does not answer as gRPC does")

func askHealth(ctx context.Context, transport http.RoundTripper, target, service string) (status uint64, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(grpcRequest(service)))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/grpc")
	req.Header.Set("Te", "trailers")
	req.Header.Set("User-Agent", userAgent)
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, grpcMaxAnswer))
	if err != nil {
		return 0, err
	}
	if resp.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("%w: %s", errGRPCAnswer, resp.Status)
	}
	code, why := resp.Trailer.Get("Grpc-Status"), resp.Trailer.Get("Grpc-Message")
	if code == "" { // there was nothing but headers
		code, why = resp.Header.Get("Grpc-Status"), resp.Header.Get("Grpc-Message")
	}
	switch code {
	case "0":
		return grpcAnswer(body)
	case "":
		return 0, errGRPCAnswer
	default:
		return 0, fmt.Errorf("rpc error: code = %s desc = %s", code, unescaped(why))
	}
}

func unescaped(text string) string {
	if plain, err := url.PathUnescape(text); err == nil {
		return plain
	}
	return text
}

// grpcRequest encodes a HealthCheckRequest, whose field 1 is the service, as a
// message that is not compressed.
func grpcRequest(service string) []byte {
	var msg []byte
	if service != "" {
		msg = append(msg, 1<<3|2)
		msg = binary.AppendUvarint(msg, uint64(len(service)))
		msg = append(msg, service...)
	}
	frame := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(msg)))
	return append(frame, msg...)
}

// grpcAnswer decodes a HealthCheckResponse, whose field 1 is the status. One that is
// left out is 0.
func grpcAnswer(frame []byte) (status uint64, err error) {
	const head = 5
	if len(frame) < head || frame[0] != 0 || int(binary.BigEndian.Uint32(frame[1:head])) != len(frame)-head {
		return 0, errGRPCAnswer
	}
	msg := frame[head:]
	if len(msg) == 0 {
		return 0, nil
	}
	status, n := binary.Uvarint(msg[1:])
	if msg[0] != 1<<3 || n <= 0 {
		return 0, errGRPCAnswer
	}
	return status, nil
}
