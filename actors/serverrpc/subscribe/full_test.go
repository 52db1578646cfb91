package subscribe

import (
	"time"

	"github.com/actor-consul/consul/messages/wire"
)

// full returns an instance in which everything is set, each to something else.
func full() wire.CheckServiceNode {
	dict := func(v any) map[string]any { return map[string]any{"k": v} }
	return wire.CheckServiceNode{
		Node: &wire.Node{
			ID: "node-id", Node: "n1", Address: "10.0.0.1", Datacenter: "dc1", Partition: "part", PeerName: "peer",
			TaggedAddresses: map[string]string{"lan": "10.0.0.2", "wan": "10.0.0.3"}, Meta: map[string]string{"a": "b", "empty": ""},
			Locality: &wire.Locality{Region: "region", Zone: "zone"}, RaftIndex: wire.RaftIndex{CreateIndex: 1, ModifyIndex: 300},
		},
		Service: &wire.NodeService{
			Kind: wire.ServiceKindConnectProxy, ID: "web-1", Service: "web", Tags: []string{"t1", ""}, Address: "10.0.0.4",
			TaggedAddresses: map[string]wire.ServiceAddress{"lan": {Address: "10.0.0.5", Port: 81}}, Meta: map[string]string{"m": "v"},
			Port: 80, SocketPath: "/sock", Weights: &wire.Weights{Passing: 2, Warning: 0}, EnableTagOverride: true,
			Locality: &wire.Locality{}, LocallyRegisteredAsSidecar: true, PeerName: "peer2", RaftIndex: wire.RaftIndex{CreateIndex: 3, ModifyIndex: 4},
			Connect: wire.ServiceConnect{Native: true, PeerMeta: &wire.PeeringServiceMeta{SNI: []string{"sni"}, SpiffeID: []string{"spiffe"}, Protocol: "tcp"}},
			Proxy: wire.ConnectProxyConfig{
				TransparentProxy: wire.TransparentProxyConfig{OutboundListenerPort: 15001, DialedDirectly: true},
				AccessLogs:       wire.AccessLogsConfig{Enabled: true, DisableListenerLogs: true, Type: "file", Path: "/log", JSONFormat: "json", TextFormat: "text"},
				EnvoyExtensions:  []wire.EnvoyExtension{{Name: "ext", Required: true, Arguments: dict(true), ConsulVersion: "1", EnvoyVersion: "2"}},
				Upstreams: []wire.Upstream{{
					DestinationType: "service", DestinationNamespace: "ns", DestinationPartition: "part", DestinationPeer: "peer", DestinationName: "db", Datacenter: "dc2",
					LocalBindAddress: "127.0.0.1", LocalBindPort: 5432, LocalBindSocketPath: "/up", LocalBindSocketMode: "0600",
					Config: dict(int64(-7)), MeshGateway: wire.MeshGatewayConfig{Mode: "local"}, CentrallyConfigured: true,
				}},
				DestinationServiceName: "dest", DestinationServiceID: "dest-1", LocalServiceAddress: "127.0.0.2", LocalServicePort: 8080, LocalServiceSocketPath: "/local",
				Mode: "transparent", Config: dict([]any{1.5, "s", map[string]any{}, false}), MeshGateway: wire.MeshGatewayConfig{Mode: "remote"},
				Expose: wire.ExposeConfig{Checks: true, Paths: []wire.ExposePath{{ListenerPort: 1, Path: "/p", LocalPathPort: 2, Protocol: "http2", ParsedFromCheck: true}}},
			},
		},
		Checks: wire.HealthChecks{{
			Node: "n1", CheckID: "c1", Name: "check", Status: "warning", Notes: "notes", Output: "output", ServiceID: "web-1", ServiceName: "web",
			ServiceTags: []string{"t1"}, Type: "http", Interval: "10s", Timeout: "1s", ExposedPort: 21500, PeerName: "peer3", RaftIndex: wire.RaftIndex{CreateIndex: 5, ModifyIndex: 6},
			Definition: wire.HealthCheckDefinition{
				HTTP: "http://x", TLSServerName: "tls", TLSSkipVerify: true, Header: map[string][]string{"h": {"v1", "v2"}}, Method: "PUT", Body: "body", DisableRedirects: true,
				TCP: "tcp:1", TCPUseTLS: true, UDP: "udp:1", H2PING: "h2:1", OSService: "os", H2PingUseTLS: true, Interval: 10 * time.Second, OutputMaxSize: 4096,
				Timeout: 1500 * time.Millisecond, DeregisterCriticalServiceAfter: time.Hour, ScriptArgs: []string{"/bin/true", ""}, DockerContainerID: "docker", Shell: "sh",
				GRPC: "grpc:1", GRPCUseTLS: true, AliasNode: "an", AliasService: "as", TTL: time.Minute,
			},
		}, {Node: "n1", CheckID: "serfHealth", Status: "passing"}},
	}
}
