package real

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Prepare downloads and builds what the tests' servers need into the cache, so
// that no test waits for it. The first time it takes minutes. It continues after
// an error, and returns all of them. It calls report for each part that is ready.
func Prepare(ctx context.Context, report func(string)) error {
	if what := machinesNeed(); what != "" {
		return fmt.Errorf("missing: %s", what)
	}
	ctx = context.WithValue(ctx, preparing{}, true)
	type part struct {
		name  string
		build func(context.Context) (string, error)
	}
	parts := []part{
		{"the machines' image", image},
		{"the image of virtual machines", vmImageIfAny},
		{"packages of Docker", dockerPackages},
		{"Compose", composePlugin},
		{"the registry", registryProgram},
		{"step", stepProgram},
		{"step-ca", stepCAProgram},
		{"Vault", vaultProgram},
		{"CoreDNS", coreDNSProgram},
		{"etcd", etcdProgram},
		{"the Kubernetes API server", kubeAPIProgram},
		{"kubectl", kubectlProgram},
		{"the image of busybox", busyboxImage},
		{"the image of Gitea", giteaImage},
		{"the image of the runner", runnerImage},
		{"the image of dnsmasq", piholeImage},
	}
	majors := []int{}
	for major := range pgReleases {
		majors = append(majors, major)
	}
	slices.Sort(majors)
	for _, major := range majors {
		parts = append(parts, part{fmt.Sprintf("the image of PostgreSQL %d", major),
			func(ctx context.Context) (string, error) { return postgresImage(ctx, major) }})
	}
	// Two at once: while one waits for the network or is packed by one processor, the other compiles.
	errs := make([]error, len(parts))
	var reporting sync.Mutex
	var g errgroup.Group
	g.SetLimit(2)
	for n, p := range parts {
		g.Go(func() error {
			start := time.Now()
			if _, err := p.build(ctx); err != nil {
				errs[n] = fmt.Errorf("%s: %w", p.name, err)
				return nil
			}
			reporting.Lock()
			defer reporting.Unlock()
			report(fmt.Sprintf("%-29s %4.0f s", p.name, time.Since(start).Seconds()))
			return nil
		})
	}
	_ = g.Wait() // they are in errs
	return errors.Join(errs...)
}
