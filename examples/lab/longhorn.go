package main

import (
	"context"
	"maps"
	"slices"
	"sync"

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
// same. It returns the errors of the machines whose name is not known. The others are planned all the same: the name of a
// machine is changed only when another one is known to have it, and that of the missing machine is compared when it is back.
func (l *Lab) initiators(ctx context.Context, s *site, from *sources) map[*host.Machine]error {
	hosts := l.hosts(l.longhorn())
	machines := slices.DeleteFunc(slices.Clone(s.machines), func(m *host.Machine) bool {
		return !slices.ContainsFunc(hosts, func(h *inventory.Host) bool { return h.Name == m.Name() })
	})
	names, errs := make([]string, len(machines)), make([]error, len(machines))
	var wg sync.WaitGroup
	for i, m := range machines {
		wg.Go(func() {
			r, err := longhornprep.Examine(ctx, m, "")
			names[i], errs[i] = r.Initiator, err
		})
	}
	wg.Wait()
	from.initiators = map[string]string{}
	missed := map[*host.Machine]error{}
	for i, m := range machines {
		if from.initiators[m.Name()] = names[i]; errs[i] != nil {
			missed[m] = errs[i]
		}
	}
	return missed
}
