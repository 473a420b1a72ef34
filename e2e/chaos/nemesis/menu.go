package nemesis

import (
	"math/rand"

	"eraftkdb/e2e/chaos/faults"
)

// storms are what a storm is made of, each as often as its weight says.
var storms = []struct {
	maker  faults.Maker
	weight int
}{
	{faults.KillLeader, 3},
	{faults.KillMember, 3},
	{faults.KillMajority, 2},
	{faults.KillGroup, 1},
	{faults.KillProxy, 2},
	{faults.MetaDown, 1},
	{faults.PauseLeader, 2},
	{faults.PauseMajority, 1},
	{faults.PauseAny, 2},
	{faults.Restart, 3},
	{faults.Transfer, 3},
	{faults.IsolateLeader, 3},
	{faults.LeaderWithProxy, 3},
	{faults.DeafLeader, 2},
	{faults.MuteLeader, 2},
	{faults.IsolateAny, 2},
	{faults.Split, 2},
	{faults.OneWay, 2},
	{faults.Loss, 2},
	{faults.Delay, 2},
	{faults.DiskFull, 1},
	{faults.DisksFull, 1},
}

func pick(random *rand.Rand) faults.Maker {
	total := 0
	for _, s := range storms {
		total += s.weight
	}
	at := random.Intn(total)
	for _, s := range storms {
		if at -= s.weight; at < 0 {
			return s.maker
		}
	}
	return storms[0].maker
}

// everyRound are measured in every round, rotation a few at a time.
var everyRound = []faults.Maker{faults.KillLeader, faults.Transfer, faults.Transfer, faults.Transfer}

const rotatedPerRound = 2

var rotation = []faults.Maker{
	faults.RollingRestart,
	faults.PauseLeader,
	faults.IsolateLeader,
	faults.LeaderWithProxy,
	faults.DisksFull,
	faults.MetaDown,
	faults.DeafLeader,
	faults.KillGroup,
	faults.MuteLeader,
	faults.RollingProxies,
	faults.KillProxy,
	faults.KillMajority,
	faults.OneWay,
}
