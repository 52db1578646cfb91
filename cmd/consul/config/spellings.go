package config

// spelling is another name for a key of the table: one that Consul used to have, or one of two that it has.
type spelling struct {
	old     string // the name in the file
	now     string // the key it means today; "" where nothing is left of it
	current bool   // the name is as good as the other, and needs no warning
	hint    string // what to do in place of a key that is gone
}

// advice is the hint as the end of a sentence.
func (p spelling) advice() string {
	if p.hint == "" {
		return ""
	}
	return "; " + p.hint
}

const useRetryJoin = `use retry_join with the servers' addresses`

// spellings holds the keys of former Consul versions. None of them keeps an agent from starting: where the meaning lives
// on it is obeyed, where it does not a warning says so.
var spellings = []spelling{
	{old: "service", now: "services", current: true},
	{old: "check", now: "checks", current: true},

	{old: "recursor", now: "recursors"},
	{old: "ui", now: "ui_config.enabled"},
	{old: "ui_dir", now: "ui_config.dir"},
	{old: "ui_content_path", now: "ui_config.content_path"},
	{old: "http_api_response_headers", now: "http_config.response_headers"},
	{old: "non_voting_server", now: "read_replica"},

	{old: "ca_file", now: "tls.defaults.ca_file"},
	{old: "ca_path", now: "tls.defaults.ca_path"},
	{old: "cert_file", now: "tls.defaults.cert_file"},
	{old: "key_file", now: "tls.defaults.key_file"},
	{old: "tls_min_version", now: "tls.defaults.tls_min_version"},
	{old: "tls_cipher_suites", now: "tls.defaults.tls_cipher_suites"},
	{old: "tls_prefer_server_cipher_suites"},
	{old: "tls.defaults.tls_prefer_server_cipher_suites"},
	{old: "verify_incoming", now: "tls.defaults.verify_incoming"},
	{old: "verify_incoming_rpc", now: "tls.internal_rpc.verify_incoming"},
	{old: "verify_incoming_https", now: "tls.https.verify_incoming"},
	{old: "verify_outgoing", now: "tls.defaults.verify_outgoing"},
	{old: "verify_server_hostname", now: "tls.internal_rpc.verify_server_hostname"},

	{old: "acl.tokens.master", now: "acl.tokens.initial_management", current: true}, // the official SDK writes these two
	{old: "acl.tokens.agent_master", now: "acl.tokens.agent_recovery", current: true},
	{old: "acl.disabled_ttl"},
	{old: "acl_datacenter", now: "primary_datacenter"},
	{old: "acl_default_policy", now: "acl.default_policy"},
	{old: "acl_down_policy", now: "acl.down_policy"},
	{old: "acl_ttl", now: "acl.token_ttl"},
	{old: "acl_enable_key_list_policy", now: "acl.enable_key_list_policy"},
	{old: "enable_acl_replication", now: "acl.enable_token_replication"},
	{old: "acl_master_token", now: "acl.tokens.initial_management"},
	{old: "acl_agent_master_token", now: "acl.tokens.agent_recovery"},
	{old: "acl_agent_token", now: "acl.tokens.agent"},
	{old: "acl_token", now: "acl.tokens.default"},
	{old: "acl_replication_token", now: "acl.tokens.replication"},
	{old: "acl_enforce_version_8"},

	{old: "statsite_addr", now: "telemetry.statsite_address"},
	{old: "statsite_prefix", now: "telemetry.metrics_prefix"},
	{old: "statsd_addr", now: "telemetry.statsd_address"},
	{old: "dogstatsd_addr", now: "telemetry.dogstatsd_addr"},
	{old: "dogstatsd_tags", now: "telemetry.dogstatsd_tags"},
	{old: "telemetry.statsite_prefix", now: "telemetry.metrics_prefix"},
	{old: "telemetry.disable_compat_1.9"},
	{old: "telemetry.enable_deprecated_names", hint: "metrics have one name only"},

	{old: "advertise_addrs", hint: "use advertise_addr, advertise_addr_wan and ports"},
	{old: "retry_join_ec2", hint: useRetryJoin},
	{old: "retry_join_gce", hint: useRetryJoin},
	{old: "retry_join_azure", hint: useRetryJoin},
	{old: "atlas_infrastructure"},
	{old: "atlas_token"},
	{old: "atlas_acl_token"},
	{old: "atlas_join", hint: useRetryJoin},
	{old: "atlas_endpoint"},
	{old: "connect.proxy", hint: "register proxies as services"},
	{old: "connect.proxy_defaults", hint: "register proxies as services"},
	{old: "raft_boltdb", hint: "use raft_logstore"},
}
