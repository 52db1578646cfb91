# Every key of the agent, but those of Consul Enterprise. TestEveryKeyTogether loads it.
server = true
bootstrap = false
bootstrap_expect = 3
datacenter = "dc1"
primary_datacenter = "dc0"
node_name = "web1"
node_id = "0b6c9d3e-54a0-4b9d-8e0f-0f8d8f3c2a11"
node_meta = { rack = "r1" }
disable_host_node_id = true
data_dir = "/var/lib/consul"
locality {
  region = "x"
  zone = "x"
}
bind_addr = "10.1.10.38"
client_addr = "127.0.0.1"
advertise_addr = "10.1.10.38"
advertise_addr_ipv4 = "10.1.10.38"
advertise_addr_ipv6 = "2001:db8::38"
advertise_addr_wan = "192.0.2.38"
advertise_addr_wan_ipv4 = "192.0.2.38"
advertise_addr_wan_ipv6 = "2001:db8::38"
tagged_addresses = { rack = "10.2.0.38" }
translate_wan_addrs = false
serf_lan = "10.1.10.38"
serf_wan = "10.1.10.38"
serf_lan_allowed_cidrs = ["10.0.0.0/8", "fd00::/8"]
serf_wan_allowed_cidrs = ["10.0.0.0/8", "fd00::/8"]
addresses {
  dns = "127.0.0.1"
  http = "127.0.0.1 unix:///run/consul.sock"
  https = "127.0.0.1"
  grpc = "127.0.0.1"
  grpc_tls = "127.0.0.1"
  rpc = "127.0.0.1"
}
ports {
  dns = 8600
  http = 8500
  https = -1
  grpc = -1
  grpc_tls = 8503
  server = 8300
  serf_lan = 8301
  serf_wan = 8302
  rpc = 8400
  proxy_min_port = 20000
  proxy_max_port = 20255
  sidecar_min_port = 21000
  sidecar_max_port = 21255
  expose_min_port = 21500
  expose_max_port = 21755
}
unix_sockets {
  user = "x"
  group = "x"
  mode = "0770"
}
start_join = ["10.1.10.39"]
start_join_wan = ["192.0.2.39"]
retry_join = ["10.1.10.39"]
retry_join_wan = ["192.0.2.39"]
retry_interval = "30s"
retry_interval_wan = "30s"
retry_max = 0
retry_max_wan = 0
rejoin_after_leave = false
reconnect_timeout = "72h"
reconnect_timeout_wan = "72h"
advertise_reconnect_timeout = "0s"
leave_on_terminate = false
skip_leave_on_interrupt = false
server_rejoin_age_max = "168h"
primary_gateways = ["x", "y"]
primary_gateways_interval = "30s"
encrypt = "mrWXjGGTjXkkfTtZIPrTqg=="
encrypt_verify_incoming = true
encrypt_verify_outgoing = true
disable_keyring_file = false
gossip_lan {
  gossip_interval = "200ms"
  gossip_nodes = 3
  probe_interval = "1s"
  probe_timeout = "500ms"
  retransmit_mult = 4
  suspicion_mult = 4
}
gossip_wan {
  gossip_interval = "500ms"
  gossip_nodes = 3
  probe_interval = "5s"
  probe_timeout = "3s"
  retransmit_mult = 4
  suspicion_mult = 6
}
protocol = 2
raft_protocol = 3
performance {
  raft_multiplier = 5
  leave_drain_time = "5s"
  rpc_hold_timeout = "7s"
  grpc_keepalive_interval = "30s"
  grpc_keepalive_timeout = "20s"
}
raft_snapshot_threshold = 16384
raft_snapshot_interval = "30s"
raft_trailing_logs = 10240
raft_logstore {
  backend = "default"
  disable_log_cache = false
  verification {
    enabled = false
    interval = "0s"
  }
  boltdb {
    no_freelist_sync = false
  }
  wal {
    segment_size_mb = 64
  }
}
autopilot {
  cleanup_dead_servers = true
  last_contact_threshold = "200ms"
  max_trailing_logs = 250
  min_quorum = 0
  server_stabilization_time = "10s"
}
log_level = "info"
log_json = false
log_file = "/var/log/consul.log"
log_rotate_duration = "24h"
log_rotate_bytes = 0
log_rotate_max_files = 0
enable_syslog = false
syslog_facility = "LOCAL0"
pid_file = "/run/consul.pid"
enable_debug = false
auto_reload_config = false
services = [{ name = "web", port = 80 }]
checks = [{ name = "mem", args = ["/bin/true"], interval = "10s" }]
watches = [{ x = "y" }]
check_update_interval = "5m"
check_output_max_size = 4096
discard_check_output = false
enable_script_checks = false
enable_local_script_checks = false
enable_agent_tls_for_checks = false
enable_central_service_config = true
session_ttl_min = "10s"
disable_coordinates = false
discovery_max_stale = "0s"
default_query_time = "300s"
max_query_time = "600s"
http_config {
  block_endpoints = ["/v1/acl", "/v1/snapshot"]
  response_headers = { Access-Control-Allow-Origin = "*" }
  allow_write_http_from = ["127.0.0.0/8", "fd00::/8"]
  use_cache = true
  max_header_bytes = 0
}
disable_http_unprintable_char_filter = false
disable_remote_exec = true
limits {
  http_max_conns_per_client = 200
  https_handshake_timeout = "5s"
  kv_max_value_size = 524288
  txn_max_req_len = 524288
  rpc_max_conns_per_client = 100
  rpc_handshake_timeout = "5s"
  rpc_client_timeout = "60s"
  rpc_rate = -1
  rpc_max_burst = 1000
  request_limits {
    mode = "disabled"
    read_rate = -1
    write_rate = -1
  }
}
cache {
  entry_fetch_max_burst = 2
  entry_fetch_rate = 0.5
}
rpc {
  enable_streaming = true
}
use_streaming_backend = true
ui_config {
  enabled = false
  dir = "x"
  content_path = "/ui/"
  metrics_provider = "x"
  metrics_provider_files = ["x", "y"]
  metrics_provider_options_json = "x"
  metrics_proxy = [{ x = "y" }]
  dashboard_url_templates = { x = "y" }
}
domain = "consul."
alt_domain = "corp."
recursors = ["10.1.10.2"]
dns_config {
  node_ttl = "0s"
  service_ttl = { "*" = "5s" }
  only_passing = false
  udp_answer_limit = 3
  a_record_limit = 0
  udp_response_rate = 2000
  enable_truncate = false
  disable_compression = false
  allow_stale = true
  max_stale = "87600h"
  soa {
    refresh = 3600
    retry = 600
    expire = 86400
    min_ttl = 0
  }
  recursor_timeout = "2s"
  recursor_strategy = "sequential"
  recurse_for_all = true
  enable_additional_node_meta_txt = true
  use_cache = false
  cache_max_age = "0s"
}
telemetry {
  metrics_prefix = "consul"
  disable_hostname = false
  prometheus_retention_time = "0s"
  enable_host_metrics = false
  filter_default = true
  prefix_filter = ["+x", "-y"]
  disable_per_tenancy_usage_metrics = false
  retry_failed_connection = true
  statsite_address = "x"
  statsd_address = "x"
  dogstatsd_addr = "x"
  dogstatsd_tags = ["x", "y"]
  circonus_api_app = "consul"
  circonus_api_token = "secret"
  circonus_api_url = "x"
  circonus_broker_id = "x"
  circonus_broker_select_tag = "x"
  circonus_check_display_name = "x"
  circonus_check_force_metric_activation = "x"
  circonus_check_id = "x"
  circonus_check_instance_id = "x"
  circonus_check_search_tag = "x"
  circonus_check_tags = "x"
  circonus_submission_interval = "x"
  circonus_submission_url = "x"
}
acl {
  enabled = false
  default_policy = "allow"
  down_policy = "extend-cache"
  token_ttl = "30s"
  policy_ttl = "30s"
  role_ttl = "30s"
  enable_token_persistence = false
  enable_token_replication = false
  enable_key_list_policy = false
  tokens {
    initial_management = "secret"
    agent_recovery = "secret"
    default = "secret"
    agent = "secret"
    replication = "secret"
    config_file_service_registration = "secret"
    dns = "secret"
  }
}
tls {
  defaults {
    ca_file = "x"
    ca_path = "x"
    cert_file = "x"
    key_file = "x"
    tls_min_version = "TLSv1_2"
    tls_cipher_suites = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
    verify_incoming = false
    verify_outgoing = false
    verify_server_hostname = false
  }
  internal_rpc {
    ca_file = "x"
    ca_path = "x"
    cert_file = "x"
    key_file = "x"
    tls_min_version = "TLSv1_2"
    tls_cipher_suites = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
    verify_incoming = false
    verify_outgoing = false
    verify_server_hostname = false
  }
  https {
    ca_file = "x"
    ca_path = "x"
    cert_file = "x"
    key_file = "x"
    tls_min_version = "TLSv1_2"
    tls_cipher_suites = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
    verify_incoming = false
    verify_outgoing = false
    verify_server_hostname = false
  }
  grpc {
    ca_file = "x"
    ca_path = "x"
    cert_file = "x"
    key_file = "x"
    tls_min_version = "TLSv1_2"
    tls_cipher_suites = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
    verify_incoming = false
    verify_outgoing = false
    verify_server_hostname = false
    use_auto_cert = false
  }
}
server_name = "x"
auto_encrypt {
  tls = false
  allow_tls = false
  dns_san = ["x", "y"]
  ip_san = ["x", "y"]
}
auto_config {
  enabled = false
  intro_token = "secret"
  intro_token_file = "x"
  server_addresses = ["x", "y"]
  dns_sans = ["x", "y"]
  ip_sans = ["x", "y"]
  authorization = [{ x = "y" }]
}
connect {
  enabled = true
  ca_provider = "consul"
  ca_config = { x = { y = 1 } }
  enable_mesh_gateway_wan_federation = false
  enable_serverless_plugin = false
  test_ca_leaf_root_change_spread = "1s"
}
peering {
  enabled = true
  test_allow_peer_registrations = true
}
xds {
  update_max_per_second = 250
}
config_entries {
  bootstrap = [{ x = "y" }]
}
disable_update_check = false
disable_anonymous_signature = false
cloud = { x = { y = 1 } }
experiments = ["x", "y"]
version = "x"
version_prerelease = "x"
version_metadata = "x"
revision = "x"
build_date = [{ x = "y" }]
ae_interval = "1s"
check_deregister_interval_min = "1s"
check_reap_interval = "1s"
sync_coordinate_interval_min = "1s"
sync_coordinate_rate_target = 0.5
