"""What a server under test is started with to be watched: put on its PYTHONPATH, see sitecustomize.py."""
