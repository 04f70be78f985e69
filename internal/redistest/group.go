package redistest

import "sync"

// startAll starts one process per configuration, all at the same time. On a
// failure those that did start are stopped again.
func startAll(cfgs []config) ([]*Server, error) {
	servers := make([]*Server, len(cfgs))
	errs := make([]error, len(cfgs))
	var wg sync.WaitGroup
	for i, cfg := range cfgs {
		wg.Go(func() { servers[i], errs[i] = startServer(cfg) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			closeAll(servers)
			return nil, err
		}
	}
	return servers, nil
}

// closeAll stops the servers; it passes over those that never started.
func closeAll(servers []*Server) {
	for _, s := range servers {
		if s != nil {
			s.close()
		}
	}
}

// repeat returns n times the same configuration.
func repeat(cfg config, n int) []config {
	cfgs := make([]config, n)
	for i := range cfgs {
		cfgs[i] = cfg
	}
	return cfgs
}

// addrs returns the addresses of the servers.
func addrs(servers []*Server) []string {
	list := make([]string, len(servers))
	for i, s := range servers {
		list[i] = s.Addr()
	}
	return list
}
