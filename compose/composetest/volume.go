package composetest

import (
	"fmt"
	"slices"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
)

type volume struct {
	Name, Driver    string
	Options, Labels map[string]string
}

// volumeCommand is docker volume.
func (d *Docker) volumeCommand(p *hosttest.Process, verb string, args []string) (int, error) {
	switch {
	case verb == "ls" && slices.Equal(args, []string{"-q"}):
		for _, v := range d.volumes {
			fmt.Fprintln(p.Stdout(), v.Name)
		}
		return 0, nil
	case verb == "inspect" && len(args) > 1 && args[0] == "--format":
		for _, v := range d.volumes {
			if !slices.Contains(args[2:], v.Name) {
				continue
			}
			if err := format(p.Stdout(), args[1], v); err != nil {
				return 1, err
			}
		}
		return 0, nil
	case verb == "rm" && len(args) == 2 && args[0] == "--":
		i := slices.IndexFunc(d.volumes, func(v volume) bool { return v.Name == args[1] })
		if i < 0 {
			return 1, fmt.Errorf("Error response from daemon: get %s: no such volume", args[1])
		}
		d.change(p)
		d.volumes = slices.Delete(d.volumes, i, i+1)
		return 0, nil
	}
	return 1, unknown(append([]string{"volume", verb}, args...))
}
