package health

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/actor-consul/consul/messages/wire"
)

// dockerSocket is where Docker listens when nobody says otherwise.
const dockerSocket = "unix:///var/run/docker.sock"

// dockerExec returns the probe that runs a program in a container, by the same rules
// as a script: https://docs.docker.com/reference/api/engine/#tag/Exec. Docker has no
// way to kill it when the time is up.
func dockerExec(host string, run *wire.CheckType, most int) probe {
	d, err := newDocker(cmp.Or(host, dockerSocket), most)
	if err != nil {
		return func(context.Context) result { return failing("%s", err) }
	}
	return func(ctx context.Context) result {
		defer d.client.CloseIdleConnections()
		out, code, err := d.exec(ctx, run.DockerContainerID, run.ScriptArgs)
		switch {
		case err != nil:
			return failing("%s", err)
		case code == 0:
			return result{wire.HealthPassing, out}
		case code == 1:
			return result{wire.HealthWarning, out}
		default:
			return result{wire.HealthCritical, out}
		}
	}
}

// docker speaks to a Docker engine.
type docker struct {
	client *http.Client
	base   string
	most   int // bytes of output to keep
}

func newDocker(host string, most int) (*docker, error) {
	proto, addr, ok := strings.Cut(host, "://")
	if !ok || addr == "" {
		return nil, fmt.Errorf("unable to parse docker host `%s`", host)
	}
	transport, base := &http.Transport{}, "http://"+addr
	switch proto {
	case "unix":
		base = "http://docker"
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", addr)
		}
	case "tcp", "http":
	default:
		return nil, fmt.Errorf("docker host `%s` is neither unix:// nor tcp://", host)
	}
	return &docker{client: &http.Client{Transport: transport}, base: strings.TrimSuffix(base, "/"), most: most}, nil
}

// exec runs a command in a container. It returns its output and its exit code.
func (d *docker) exec(ctx context.Context, container string, command []string) (out string, code int, err error) {
	id, err := d.create(ctx, container, command)
	if err != nil {
		return "", 0, err
	}
	kept := &tail{most: d.most}
	status, err := d.call(ctx, kept, http.MethodPost, "/exec/"+url.PathEscape(id)+"/start", map[string]bool{"Detach": false, "Tty": true})
	switch {
	// Docker may cut the connection when all is said.
	case err != nil && (status != http.StatusOK || !strings.Contains(err.Error(), "connection reset by peer")):
		return "", 0, fmt.Errorf("start exec failed for container %s: %w", container, err)
	case status != http.StatusOK:
		return "", 0, fmt.Errorf("start exec failed for container %s with status %d: %s", container, status, kept)
	}
	answer := &tail{most: dockerAnswer}
	status, err = d.call(ctx, answer, http.MethodGet, "/exec/"+url.PathEscape(id)+"/json", nil)
	var ended struct{ ExitCode int }
	switch {
	case err != nil:
		return "", 0, fmt.Errorf("inspect exec failed for container %s: %w", container, err)
	case status != http.StatusOK:
		return "", 0, fmt.Errorf("inspect exec failed for container %s with status %d: %s", container, status, answer)
	}
	if err := json.Unmarshal(answer.kept, &ended); err != nil {
		return "", 0, fmt.Errorf("inspect exec response for container %s cannot be parsed: %w", container, err)
	}
	return kept.String(), ended.ExitCode, nil
}

func (d *docker) create(ctx context.Context, container string, command []string) (id string, err error) {
	answer := &tail{most: dockerAnswer}
	status, err := d.call(ctx, answer, http.MethodPost, "/containers/"+url.PathEscape(container)+"/exec", struct {
		AttachStdout, AttachStderr bool
		Cmd                        []string
	}{true, true, command})
	switch {
	case err != nil:
		return "", fmt.Errorf("create exec failed for container %s: %w", container, err)
	case status == http.StatusNotFound:
		return "", fmt.Errorf("create exec failed for unknown container %s", container)
	case status == http.StatusConflict:
		return "", fmt.Errorf("create exec failed since container %s is paused or stopped", container)
	case status != http.StatusCreated:
		return "", fmt.Errorf("create exec failed for container %s with status %d: %s", container, status, answer)
	}
	var created struct{ ID string }
	if err := json.Unmarshal(answer.kept, &created); err != nil {
		return "", fmt.Errorf("create exec response for container %s cannot be parsed: %w", container, err)
	}
	return created.ID, nil
}

// dockerAnswer is how much of what Docker itself has to say is read.
const dockerAnswer = 64 << 10

// call makes a request, whose answer goes to out.
func (d *docker) call(ctx context.Context, out io.Writer, method, path string, body any) (status int, err error) {
	var in io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return 0, err
		}
		in = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, d.base+path, in)
	if err != nil {
		return 0, err
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := d.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(out, resp.Body)
	return resp.StatusCode, err
}
