package main

import (
	"context"
	"crypto/tls"
	"net"
)

// dial is what h2c needs in the place of TLS.
func dial(ctx context.Context, network, address string, _ *tls.Config) (net.Conn, error) {
	var dialer net.Dialer
	return dialer.DialContext(ctx, network, address)
}
