package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/compose"
	"gitea.arcodange.lab/arcodange-org/lab/host/inventory"
	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
	"gitea.arcodange.lab/arcodange-org/lab/internal/login"
)

// locking is a call of lab lock.
type locking struct {
	call
	machine  string
	update   bool
	out      *cli.Printer
	terminal *cli.Terminal
}

// lockCommand is the command lock.
func lockCommand() *cobra.Command {
	l := &locking{call: call{verb: "lock"}}
	c := &cobra.Command{Use: "lock", Short: "pin the images of the stacks", Args: cli.Words(0, 0),
		Long: `Pin the images of the stacks of the config: write into the lock file, ` + compose.LockFile + `
beside the config, which image each name stands for today. Pins that are there
stay, unless --update is given. The registries are asked from here, over HTTPS;
images that are private, or in no registry, are known to the Docker Engine of
a machine: name it with --machine. Nothing is changed on any machine, except
that with --machine it pulls the images.`,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			if l.out, err = cli.PrinterOf(c, say); err != nil {
				return err
			}
			l.terminal = cli.TerminalOf(c)
			return l.run(c.Context())
		}}
	l.configFlag(c.Flags())
	c.Flags().StringVar(&l.machine, "machine", "", "ask the Docker Engine of this machine, by its `name` in the inventory")
	c.Flags().BoolVar(&l.update, "update", false, "look up all images again, and drop the pins of images that are no longer named")
	return c
}

func (k *locking) run(ctx context.Context) error {
	name, data, err := k.choose()
	if err != nil {
		return err
	}
	l, err := ReadConfig(name, data)
	if err != nil {
		return err
	}
	about(k.out, k.call, l, name)
	if l.Stacks == nil || len(l.images()) == 0 {
		k.out.Printf("nothing to pin: the config has no stacks\n")
		k.out.Object(map[string]any{"type": "lock", "images": compose.Lock{}})
		return nil
	}
	file, err := l.lockFile()
	if err != nil {
		return err
	}
	before, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return &lab.Error{Op: "read lock of images", Path: file, Err: err}
	}
	have := compose.Lock{}
	if err == nil {
		if have, err = compose.ReadLock(file, before); err != nil {
			return err
		}
	}
	images := slices.Compact(slices.Sorted(slices.Values(l.images())))
	lock := compose.Lock{}
	if !k.update {
		maps.Copy(lock, have)
	}
	images = slices.DeleteFunc(images, func(image string) bool {
		_, pinned := lock[image]
		return pinned || strings.Contains(image, "@") // a name with a digest is pinned by it
	})
	found, err := k.resolve(ctx, l, images)
	if err != nil {
		return err
	}
	maps.Copy(lock, found)
	after := lock.Format()
	k.out.Object(map[string]any{"type": "lock", "file": file, "images": lock})
	if bytes.Equal(before, after) {
		k.out.Printf("%s pins all images already; to look them up again: lab lock --update\n", file)
		return nil
	}
	k.out.Printf("%s", lab.Diff(file, before, after))
	return cli.WriteFile(file, after, 0o644)
}

// resolve looks up the images: at their registries, or on the machine.
func (k *locking) resolve(ctx context.Context, l *Lab, images []string) (compose.Lock, error) {
	if len(images) == 0 {
		return nil, nil
	}
	if k.machine == "" {
		b := &lab.Boundary{Name: "registries", Deny: l.Boundary.Deny,
			Allow: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}}
		return compose.ResolveAt(ctx, b.HTTPClient(), images)
	}
	h, err := l.inventory.Host(k.machine)
	if err != nil {
		return nil, err
	}
	if h.Local {
		return nil, &lab.Error{Op: "lock", Target: h.Name, Hint: "name a machine that is reached over SSH",
			Err: fmt.Errorf("%w: it is this machine", lab.ErrInvalid)}
	}
	l.Limited = []*inventory.Host{h}
	machines, err := l.machines()
	if err != nil {
		return nil, err
	}
	if err := login.UnlockTargets(ctx, k.terminal, &machines[0].Target); err != nil {
		return nil, err
	}
	defer machines[0].Close()
	return compose.Resolve(ctx, machines[0], images)
}

// lockFile returns the path of the lock of the stacks' images.
func (l *Lab) lockFile() (string, error) {
	file := l.Stacks.Lock
	if file == "" {
		file = compose.LockFile
	}
	return l.dir.Path(file)
}
