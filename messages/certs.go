package messages

// TLSConfig is how the agent speaks TLS: which files, and what is verified.
type TLSConfig struct {
	RPC   TLSSection // port 8300, in both directions
	HTTPS TLSSection // the HTTP API over TLS
}

// TLSSection is TLS for one purpose. What is empty is not configured.
type TLSSection struct {
	// CAFile, or else the files in CAPath, hold the authorities that are trusted.
	CAFile, CAPath string
	// CertFile and KeyFile are what the agent shows, and proves it with.
	CertFile, KeyFile string

	MinVersion   uint16   // as in crypto/tls; 0 is TLS 1.2
	CipherSuites []uint16 // of TLS 1.2 and before; empty: the usual ones

	// VerifyIncoming refuses who shows no certificate that is trusted.
	VerifyIncoming bool
	// VerifyOutgoing speaks TLS to servers and has them show one.
	VerifyOutgoing bool
	// VerifyServerHostname has servers show one for a server of their datacenter. It
	// is VerifyOutgoing, too.
	VerifyServerHostname bool
}

// LoadCertificates asks for the files to be read again, and for how they are used to be
// changed. When anything is wrong with them, nothing changes.
//
// From:  supervisor
// To:    certs
// Reply: CertificatesLoaded, when they are in force
type LoadCertificates struct {
	Asked[CertificatesLoaded]
	TLS TLSConfig
}

// CertificatesLoaded says what has come of reading the files.
type CertificatesLoaded struct {
	Anew []string // the files that hold other certificates than before
}
