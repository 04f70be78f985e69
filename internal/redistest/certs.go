package redistest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Certs are the files of a small certificate authority for one test.
type Certs struct {
	CAFile                        string // signs server and client
	CertFile, KeyFile             string // server: 127.0.0.1 and localhost
	ClientCertFile, ClientKeyFile string
	OtherCAFile                   string // a CA that signed nothing here

	pool   *x509.CertPool
	client tls.Certificate
}

// NewCerts makes a CA, a server certificate, a client certificate and a CA that
// has nothing to do with them. The files live as long as the test.
func NewCerts(tb testing.TB) *Certs {
	tb.Helper()
	c, err := writeCerts(tb.TempDir())
	if err != nil {
		tb.Fatalf("redistest: certificates: %v", err)
	}
	return c
}

// ClientTLS returns a TLS configuration that trusts the CA and shows the client
// certificate.
func (c *Certs) ClientTLS() *tls.Config {
	return &tls.Config{
		MinVersion:   tls.VersionTLS12,
		RootCAs:      c.pool,
		Certificates: []tls.Certificate{c.client},
	}
}

func writeCerts(dir string) (*Certs, error) {
	in := func(name string) string { return filepath.Join(dir, name) }
	c := &Certs{
		CAFile:   in("ca.pem"),
		CertFile: in("server.pem"), KeyFile: in("server.key"),
		ClientCertFile: in("client.pem"), ClientKeyFile: in("client.key"),
		OtherCAFile: in("other-ca.pem"),
	}
	ca, err := newCA("redistest CA", c.CAFile)
	if err != nil {
		return nil, err
	}
	if _, err := newCA("redistest other CA", c.OtherCAFile); err != nil {
		return nil, err
	}
	if err := ca.issue("server", c.CertFile, c.KeyFile); err != nil {
		return nil, err
	}
	if err := ca.issue("client", c.ClientCertFile, c.ClientKeyFile); err != nil {
		return nil, err
	}
	c.pool = x509.NewCertPool()
	c.pool.AddCert(ca.cert)
	c.client, err = tls.LoadX509KeyPair(c.ClientCertFile, c.ClientKeyFile)
	return c, err
}

// authority is a CA that can sign.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newCA(name, file string) (*authority, error) {
	tmpl := template(name)
	tmpl.IsCA = true
	tmpl.BasicConstraintsValid = true
	tmpl.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &authority{cert, key}, writePEM(file, "CERTIFICATE", der)
}

// issue signs a certificate good for both ends of a connection: in a Cluster
// every server is also a client.
func (a *authority) issue(name, certFile, keyFile string) error {
	tmpl := template(name)
	tmpl.KeyUsage = x509.KeyUsageDigitalSignature
	tmpl.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	tmpl.IPAddresses = []net.IP{net.ParseIP(host)}
	tmpl.DNSNames = []string{"localhost"}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, a.cert, key.Public(), a.key)
	if err != nil {
		return err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := writePEM(keyFile, "PRIVATE KEY", keyDER); err != nil {
		return err
	}
	return writePEM(certFile, "CERTIFICATE", der)
}

func template(name string) *x509.Certificate {
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.Add(24 * time.Hour),
	}
}

func writePEM(file, kind string, der []byte) error {
	return os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}
