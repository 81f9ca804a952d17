package main

import (
	"context"
	"maps"
	"slices"

	"golang.org/x/sync/errgroup"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/inventory"
	"gitea.arcodange.lab/arcodange-org/lab/host/longhornprep"
)

// LonghornConfig is what Longhorn needs of machines before it is installed.
type LonghornConfig struct {
	On                  string `yaml:"on,required"` // a pattern: "raspberries"
	longhornprep.Config `yaml:",inline"`
}

// longhorn returns what Longhorn needs as a component.
func (l *Lab) longhorn() component {
	return component{place: "longhorn", on: l.Longhorn.On, validate: func() lab.Problems { return l.Longhorn.Validate() },
		pieces: func(_ context.Context, h *inventory.Host, from sources) ([]piece, error) {
			m := longhornprep.Machine{Name: h.Name}
			for _, other := range slices.Sorted(maps.Keys(from.initiators)) {
				if name := from.initiators[other]; other != h.Name && name != "" {
					m.Taken = append(m.Taken, name)
				}
			}
			return piecesAt("longhorn", l.Longhorn.State(m)), nil
		}}
}

// initiators reads the names of the machines' iSCSI initiators, which must differ, since images of one SD card have the
// same.
func (l *Lab) initiators(ctx context.Context, s *site, from *sources) error {
	hosts := l.hosts(l.longhorn())
	machines := slices.DeleteFunc(slices.Clone(s.machines), func(m *host.Machine) bool {
		return !slices.ContainsFunc(hosts, func(h *inventory.Host) bool { return h.Name == m.Name() })
	})
	names := make([]string, len(machines))
	g, ctx := errgroup.WithContext(ctx)
	for i, m := range machines {
		g.Go(func() error {
			r, err := longhornprep.Examine(ctx, m, "")
			names[i] = r.Initiator
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	from.initiators = map[string]string{}
	for i, m := range machines {
		from.initiators[m.Name()] = names[i]
	}
	return nil
}
