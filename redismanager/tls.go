package redismanager

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"strconv"
)

// TLSConfig encrypts connections. TLS 1.2 is the floor, and the server's
// certificate is always verified: there is no setting that skips it.
type TLSConfig struct {
	// Enabled turns TLS on.
	Enabled bool `mapstructure:"enabled" json:"enabled"`
	// CAFile is a PEM file of the authorities to trust. Default: the system's.
	CAFile string `mapstructure:"ca_file" json:"ca_file,omitempty"`
	// CertFile and KeyFile are PEM files of the client's certificate and its
	// key, for servers that ask for one. Both or none.
	CertFile string `mapstructure:"cert_file" json:"cert_file,omitempty"`
	KeyFile  string `mapstructure:"key_file" json:"key_file,omitempty"`
	// ServerName is the name the certificate must be for. Default: the host of
	// each address. A Cluster announces addresses, so its certificates need them
	// unless this is set.
	ServerName string `mapstructure:"server_name" json:"server_name,omitempty"`
}

func (t *TLSConfig) validate(v *validator) {
	if (t.CertFile == "") != (t.KeyFile == "") {
		v.refuse("tls.cert_file", "only one of cert_file and key_file", "both or none")
	}
	if t.Enabled {
		return
	}
	for _, s := range []struct{ field, value string }{
		{"tls.ca_file", t.CAFile}, {"tls.cert_file", t.CertFile},
		{"tls.key_file", t.KeyFile}, {"tls.server_name", t.ServerName},
	} {
		if s.value != "" {
			v.refuse(s.field, strconv.Quote(s.value), "tls.enabled: true with it")
		}
	}
}

// build reads the files. It returns nil when TLS is off.
func (t *TLSConfig) build() (*tls.Config, error) {
	if !t.Enabled {
		return nil, nil
	}
	out := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("%w: tls.ca_file: %w", ErrInvalidArgument, err)
		}
		out.RootCAs = x509.NewCertPool()
		if !out.RootCAs.AppendCertsFromPEM(pem) {
			return nil, &FieldError{Field: "tls.ca_file", Got: strconv.Quote(t.CAFile), Want: "a PEM file with a certificate"}
		}
	}
	if t.CertFile != "" {
		cert, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("%w: tls.cert_file, tls.key_file: %w", ErrInvalidArgument, err)
		}
		out.Certificates = []tls.Certificate{cert}
	}
	return out, nil
}
