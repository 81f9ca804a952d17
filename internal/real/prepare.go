package real

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Prepare downloads and builds into the cache what the tests' servers are made
// of, so that no test waits for it: minutes of work, once. It goes on after an
// error, and returns all of them. tell is told of each part when it is there.
func Prepare(ctx context.Context, tell func(string)) error {
	if what := machinesNeed(); what != "" {
		return fmt.Errorf("missing: %s", what)
	}
	ctx = context.WithValue(ctx, preparing{}, true)
	type part struct {
		name string
		make func(context.Context) (string, error)
	}
	parts := []part{
		{"the machines' image", image},
		{"packages of Docker", dockerPackages},
		{"Compose", composePlugin},
		{"the registry", registryProgram},
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
		parts = append(parts, part{fmt.Sprintf("the image of PostgreSQL %d", major), func(ctx context.Context) (string, error) { return postgresImage(ctx, major) }})
	}
	var errs []error
	for _, p := range parts {
		start := time.Now()
		if _, err := p.make(ctx); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", p.name, err))
			continue
		}
		tell(fmt.Sprintf("%-26s %4.0f s", p.name, time.Since(start).Seconds()))
	}
	return errors.Join(errs...)
}
