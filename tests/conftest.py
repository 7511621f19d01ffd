def pytest_addoption(parser):
    parser.addoption("--regenerate", action="store_true", help="write tests/golden anew from what the code does now")
