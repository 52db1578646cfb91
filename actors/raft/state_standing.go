package raft

import "github.com/actor-consul/consul/messages"

// standing is what raft says of this server at one moment.
type standing struct {
	state      messages.RaftState
	term       uint64
	leaderID   string
	leaderAddr string
}

func (s standing) leads() bool { return s.state == messages.Leader }

// news returns what there is to tell when next takes the place of s, in the order
// in which it is to be told: what was lost, who leads, what was gained. Leading in
// another term is another leadership, even if nobody saw the gap.
func (s standing) news(next standing) []any {
	sameReign := s.leads() && next.leads() && s.term == next.term
	var news []any
	if s.leads() && !sameReign {
		news = append(news, &messages.LeadershipChanged{Leading: false, Term: s.term})
	}
	if s.leaderID != next.leaderID || s.leaderAddr != next.leaderAddr {
		news = append(news, &messages.NewLeader{ID: next.leaderID, Address: next.leaderAddr})
	}
	if next.leads() && !sameReign {
		news = append(news, &messages.LeadershipChanged{Leading: true, Term: next.term})
	}
	return news
}
