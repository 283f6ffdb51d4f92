"""The guided deployment on the screen: steps left, the current one's detail right, what happened below."""
