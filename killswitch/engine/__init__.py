"""The verbs: plan, guard, ask, contain, watch, restore."""
