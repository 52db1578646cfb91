package wire

import "time"

// CAOp is what to do with the state of the certificate authority.
type CAOp string

// The operations on the state of the certificate authority.
const (
	CASetRoots              CAOp = "set-roots"
	CASetConfig             CAOp = "set-config"
	CASetProviderState      CAOp = "set-provider-state"
	CADeleteProviderState   CAOp = "delete-provider-state"
	CASetRootsAndConfig     CAOp = "set-roots-config"
	CAIncrementSerialNumber CAOp = "increment-provider-serial"
)

// CARequest changes the state of the certificate authority. It is a log entry of
// type ConnectCARequestType.
type CARequest struct {
	Op         CAOp
	Datacenter string
	// Index is the one that the roots must have for them to be replaced; 0: that there
	// are none yet.
	Index         uint64
	Roots         []*CARoot
	Config        *CAConfiguration
	ProviderState *CAConsulProviderState
	WriteRequest
}

// RequestDatacenter implements Request.
func (r *CARequest) RequestDatacenter() string { return r.Datacenter }

// CARoot is a certificate authority that is trusted. Its IDs are fingerprints, in
// hexadecimal with colons.
type CARoot struct {
	ID                  string // SHA-1 of the certificate
	Name                string // for humans
	SerialNumber        uint64
	SigningKeyID        string // of the key that signs leaf certificates
	ExternalTrustDomain string // the cluster that it was made for
	NotBefore           time.Time
	NotAfter            time.Time
	RootCert            string // PEM
	IntermediateCerts   []string
	SigningCert         string    `json:",omitempty"`
	SigningKey          string    `json:",omitempty"`
	Active              bool      // leaf certificates are signed with this one
	RotatedOutAt        time.Time `json:"-"`
	PrivateKeyType      string    // ec or rsa
	PrivateKeyBits      int
	RaftIndex
}

// CAConfiguration is how certificates are made.
type CAConfiguration struct {
	ClusterID                string `json:"-"` // a UUID, which the trust domain is named after
	Provider                 string // "consul" is the authority that is built in
	Config                   map[string]any
	State                    map[string]string
	ForceWithoutCrossSigning bool
	RaftIndex
}

// TrustDomain is the name that the identities of a cluster are below.
func (c *CAConfiguration) TrustDomain() string { return c.ClusterID + ".consul" }

// CAConsulProviderState is what the authority that is built in keeps secret. It
// never leaves the servers.
type CAConsulProviderState struct {
	ID               string
	PrivateKey       string // PEM
	RootCert         string // PEM
	IntermediateCert string
	RaftIndex
}

// IndexedCARoots answers ConnectCA.Roots.
type IndexedCARoots struct {
	ActiveRootID string
	TrustDomain  string
	Roots        []*CARoot
	QueryMeta    `json:"-"`
}

// CASignRequest asks for a leaf certificate.
type CASignRequest struct {
	Datacenter string
	CSR        string // PEM
	WriteRequest
}

// RequestDatacenter implements Request.
func (r *CASignRequest) RequestDatacenter() string { return r.Datacenter }

// IssuedCert is a leaf certificate: the identity of a service.
type IssuedCert struct {
	SerialNumber  string      // in hexadecimal with colons
	CertPEM       string      `json:",omitempty"`
	PrivateKeyPEM string      `json:",omitempty"`
	Service       string      `json:",omitempty"`
	ServiceURI    string      `json:",omitempty"`
	Agent         string      `json:",omitempty"`
	AgentURI      string      `json:",omitempty"`
	ServerURI     string      `json:",omitempty"`
	Kind          ServiceKind `json:",omitempty"`
	KindURI       string      `json:",omitempty"`
	ValidAfter    time.Time
	ValidBefore   time.Time
	RaftIndex
}
