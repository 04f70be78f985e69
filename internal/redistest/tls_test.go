package redistest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"os"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

func TestTLS(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	certs := NewCerts(t)
	s := StartServer(t, WithTLS(certs))
	require.NoError(t, s.Client(t).Set(ctx, "k", "v", 0).Err())

	require.Error(t, pingTLS(t, s, nil), "plain TCP")
	noCert := certs.ClientTLS()
	noCert.Certificates = nil
	require.Error(t, pingTLS(t, s, noCert), "no client certificate")
	stranger := certs.ClientTLS()
	stranger.RootCAs = poolOf(t, certs.OtherCAFile)
	var unknown x509.UnknownAuthorityError
	require.ErrorAs(t, pingTLS(t, s, stranger), &unknown)

	byFiles := certs.ClientTLS()
	byFiles.RootCAs = poolOf(t, certs.CAFile)
	byFiles.ServerName = "localhost"
	require.NoError(t, pingTLS(t, s, byFiles))
}

func pingTLS(t *testing.T, s *Server, cfg *tls.Config) error {
	t.Helper()
	opts := s.Options()
	opts.TLSConfig = cfg
	client := redis.NewClient(opts)
	defer client.Close()
	return client.Ping(context.Background()).Err()
}

func poolOf(t *testing.T, file string) *x509.CertPool {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(text))
	return pool
}

func TestTLSSentinel(t *testing.T) {
	t.Parallel()
	set := StartSentinel(t, WithTLS(NewCerts(t)))
	require.Equal(t, "up", set.Replica().Info(t, "replication", "master_link_status"))
}

func TestTLSCluster(t *testing.T) {
	t.Parallel()
	c := StartCluster(t, WithTLS(NewCerts(t)))
	requireServesEverySlot(t, c)
}
