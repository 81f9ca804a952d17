package main

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
	"gitea.arcodange.lab/arcodange-org/lab/k3s"
)

func upgradeCommand() *cobra.Command {
	var sums []string
	c, n := nodesCommand("upgrade", "upgrade the nodes to VERSION, servers first, one at a time", func(n *nodes, ctx context.Context) error {
		return n.upgrade(ctx, sums)
	}, "VERSION")
	c.Flags().StringArrayVar(&sums, "sha256", nil, "the checksum of the program k3s of VERSION, `ARCH=SUM`, as in the release's "+
		"sha256sum-ARCH.txt; one for each of the binaries in CLUSTER.yaml, unless that has VERSION already (may be repeated)")
	return changing(c, n)
}

// upgrade does what converge would with the version in the config.
func (n *nodes) upgrade(ctx context.Context, sums []string) error {
	version, before := n.words[0], n.config.Version
	if version != before {
		known := map[string]string{}
		for _, s := range sums {
			arch, sum, _ := strings.Cut(s, "=")
			known[arch] = sum
		}
		if err := n.config.upgrade(version, known); err != nil {
			return err
		}
	}
	err := n.converge(ctx)
	if err == nil && version != before {
		n.out.Printf("Write version: %s and the binaries of it to CLUSTER.yaml: otherwise the next plan is refused, as a downgrade.\n", version)
	}
	return err
}

// upgrade changes the config to another release, whose checksums are known by the architecture. Where the programs are
// follows from where those of the release before are.
func (c *Config) upgrade(version string, sums map[string]string) error {
	for arch := range sums {
		if _, ok := c.Binaries[arch]; !ok {
			return cli.Usage("--sha256 %s: CLUSTER.yaml has no such binary", arch)
		}
	}
	same := strings.NewReplacer(c.Version, version, url.QueryEscape(c.Version), url.QueryEscape(version))
	var ps lab.Problems
	for _, arch := range slices.Sorted(maps.Keys(c.Binaries)) {
		b := c.Binaries[arch]
		moved := k3s.Binary{URL: same.Replace(b.URL), Source: same.Replace(b.Source), SHA256: sums[arch]}
		switch {
		case moved.URL+moved.Source == b.URL+b.Source:
			ps = append(ps, lab.Problem{Path: "binaries." + arch, Text: b.URL + b.Source, Message: "does not say which release it is of",
				Hint: "change version and binaries in CLUSTER.yaml, and run cluster nodes apply"})
		case moved.SHA256 == "":
			return cli.Usage("--sha256 %s=SUM is missing: that of %s", arch, moved.URL+moved.Source)
		}
		c.Binaries[arch] = moved
	}
	for _, m := range c.Images {
		if same.Replace(m.URL+m.Source) != m.URL+m.Source {
			ps = append(ps, lab.Problem{Path: "images", Text: m.URL + m.Source, Message: "is of a release",
				Hint: "change version, binaries and images in CLUSTER.yaml, and run cluster nodes apply"})
		}
	}
	c.Version = version
	if len(ps) > 0 {
		return ps
	}
	return c.Validate().Err()
}
