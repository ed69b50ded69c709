"""The Faust app, and the kit that agents and domains are made of."""
