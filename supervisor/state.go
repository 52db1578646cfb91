package supervisor

// phase is where the whole agent is in its life.
type phase int

const (
	starting phase = iota
	running
	stopping
	stopped
)

// verb is what the root does next.
type verb int

const (
	nothing verb = iota
	start        // start actor i
	stop         // stop actor i
	settle       // all actors run
	finish       // no actor is left
)

// step is one thing for the root to do.
type step struct {
	do verb
	i  int
}

// order decides what is started and stopped when: one actor after the other in
// the order of the tree, and back. It is told what happened and answers what to
// do; it does nothing itself.
type order struct {
	phase phase
	alive []bool // by actor: started, and not known to be gone
	at    int    // the actor that is being started or stopped
}

func newOrder(actors int) *order { return &order{alive: make([]bool, actors)} }

// begin starts the first actor.
func (o *order) begin() step { return o.startAt(0) }

// ready moves on to the next actor when the one being started is i. What an actor
// says after a restart changes nothing.
func (o *order) ready(i int) step {
	if o.phase != starting || i != o.at {
		return step{}
	}
	return o.startAt(i + 1)
}

// halt begins the stop, with the actor that was started last. A second halt
// changes nothing.
func (o *order) halt() step {
	if o.phase == stopping || o.phase == stopped {
		return step{}
	}
	o.phase = stopping
	return o.stopFrom(len(o.alive) - 1)
}

// gone notes that actor i is no more, and moves on when the stop was waiting for
// it.
func (o *order) gone(i int) step {
	o.alive[i] = false
	if o.phase != stopping || i != o.at {
		return step{}
	}
	return o.stopFrom(i - 1)
}

// overdue moves on from actor i, which has used up its time to stop. It may still
// be alive.
func (o *order) overdue(i int) step {
	if o.phase != stopping || i != o.at {
		return step{}
	}
	return o.stopFrom(i - 1)
}

// standing returns the actors that are not known to be gone.
func (o *order) standing() []int {
	var all []int
	for i, alive := range o.alive {
		if alive {
			all = append(all, i)
		}
	}
	return all
}

func (o *order) startAt(i int) step {
	o.at = i
	if i == len(o.alive) {
		o.phase = running
		return step{do: settle}
	}
	o.alive[i] = true
	return step{do: start, i: i}
}

func (o *order) stopFrom(i int) step {
	for ; i >= 0; i-- {
		if o.alive[i] {
			o.at = i
			return step{do: stop, i: i}
		}
	}
	o.at = -1
	o.phase = stopped
	return step{do: finish}
}
