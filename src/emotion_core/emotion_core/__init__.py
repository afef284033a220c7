"""What all nodes share: emotions, evidence, models, parameters, the node base."""
