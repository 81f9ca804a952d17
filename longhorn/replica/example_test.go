package replica_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"gitea.arcodange.lab/arcodange-org/lab/longhorn/replica"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/replica/replicatest"
)

// Three replicas of a volume are left of a cluster. One missed the last writes.
func ExampleRank() {
	disk, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(disk)
	var paths []string
	for suffix, counter := range map[string]int64{"0a": 12, "0b": 12, "0c": 9} {
		path := filepath.Join(disk, "replicas", "pvc-1-000000"+suffix)
		if err := (replicatest.Replica{Sectors: 8, Counter: counter,
			Layers: []replicatest.Layer{{Name: "daily"}, {}}}).Write(path); err != nil {
			log.Fatal(err)
		}
		paths = append(paths, path)
	}
	dirs, err := replica.ReadAll(paths)
	if err != nil {
		log.Fatal(err)
	}
	ranking, err := replica.Rank(context.Background(), dirs, replica.Want{}, replica.RankOptions{})
	if err != nil {
		log.Fatal(err)
	}
	worst := ranking.Replicas[2]
	fmt.Println(ranking.Best().Directory.Volume, ranking.Best().Reason)
	fmt.Println(worst.Name(), worst.Directory.Counter)
	// Output:
	// pvc-1 best: by revision counter, like 1 more
	// pvc-1-0000000c 9
}
