package messages

import "time"

// DNSConfig is the part of dns_config that can change while the agent runs.
type DNSConfig struct {
	AllowStale        bool
	MaxStale          time.Duration
	UseCache          bool          // what others are asked for may come from memory
	CacheMaxAge       time.Duration // and be so old; 0: as old as it is
	NodeTTL           time.Duration
	ServiceTTL        map[string]time.Duration // by name, prefix glob "x*", or "*"
	OnlyPassing       bool
	UDPAnswerLimit    int
	ARecordLimit      int
	UDPResponseRate   int // answers of 512 bytes a second to one public network; 0: no limit
	EnableTruncate    bool
	DisableCompress   bool
	NodeMetaTXT       bool // TXT records with node metadata beside A and SRV
	SOA               SOAConfig
	Recursors         []string // host:port
	RecursorTimeout   time.Duration
	RecursorsAtRandom bool
	RecurseForAll     bool // not only for clients on private networks and our own
}

// SOAConfig is what the SOA record says, in seconds.
type SOAConfig struct {
	Refresh, Retry, Expire, MinTTL uint32
}

// HTTPConfig is the part of http_config that can change while the agent runs.
type HTTPConfig struct {
	ResponseHeaders   map[string]string
	MaxConnsPerClient int
}
